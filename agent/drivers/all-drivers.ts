import type { InstallTask } from '../../schemas/protocol.ts'
import type { Json } from '../../schemas/shape.ts'
import type { AgentKey } from '../log/agent-key.ts'
import type { Secrets } from '../secrets/secrets.ts'
import { barrierDriver } from './barrier.ts'
import { discoverDriver } from './discover.ts'
import type { Driver } from './driver.ts'
import { gateDriver } from './gate.ts'
import { installDriver } from './install.ts'
import { operationDriver } from './operation.ts'
import { releaseDriver } from './release.ts'
import { roleDriver } from './role.ts'
import type { NodeSessions } from './sessions.ts'
import { stageDriver } from './stage.ts'
import type { Stager } from './stage.ts'

export interface DriverOptions {
  readonly sessions: NodeSessions
  readonly stager: Stager
  readonly key: AgentKey
  readonly secrets: Secrets
  readonly enrolment: (node: { readonly node: string; readonly machine: string; readonly incarnation: string }) => InstallTask['enrolment']
}

/** One driver for each kind of step that this agent carries out; a plan with another kind is refused before it starts. */
export function allDrivers({ sessions, stager, key, secrets, enrolment }: DriverOptions): readonly Driver[] {
  const work = { sessions, stager, secrets, reference: (value: Json): string => key.reference(value) }
  const role = roleDriver(work)
  return [
    discoverDriver(),
    stageDriver(stager),
    installDriver({ sessions, stager, stamp: value => key.stamp(value), enrolment }),
    role,
    gateDriver(role),
    operationDriver({ ...work, stamp: value => key.stamp(value) }),
    barrierDriver(),
    releaseDriver(),
  ]
}

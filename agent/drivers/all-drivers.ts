import type { InstallTask } from '../../schemas/protocol.ts'
import type { AgentKey } from '../log/agent-key.ts'
import type { Secrets } from '../secrets/secrets.ts'
import { barrierDriver } from './barrier.ts'
import { discoverDriver } from './discover.ts'
import type { Driver } from './driver.ts'
import { installDriver } from './install.ts'
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
  return [
    discoverDriver(),
    stageDriver(stager),
    installDriver({ sessions, stager, stamp: value => key.stamp(value), enrolment }),
    roleDriver({ sessions, stager, reference: value => key.reference(value), secrets }),
    barrierDriver(),
    releaseDriver(),
  ]
}

import type { CompiledWork } from '../../../agent/engine/engine.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'
import { wantsOf } from './fake-rack.ts'
import type { FakeRack } from './fake-rack.ts'
import { changesOf, planOf, step } from './build-work.ts'

const token = { deferred: { type: 'string', expression: '${wants.token}', scope: {}, inputs: { 'wants.token': { step: 'web/server@n1', provide: 'token' } }, sensitive: true } }
const greeting = { deferred: { type: 'string', expression: 'hello ${wants.name}', scope: {}, inputs: { 'wants.name': { step: 'web/server@n1', provide: 'name' } }, sensitive: false } }

/** The install part of a node whose machine is `m-<node>`, with one disk. */
export function installDocument(node: string, method: 'image' | 'joined' = 'image', machine = `m-${node}`): Json {
  const targets = method === 'joined' ? [] : [{ entry: 'system', id: `serial:${machine}-disk`, serial: `${machine}-disk`, bytes: 1000 }]
  return { method, machine, hostname: node, domain: 'test.example.com', os: 'debian-12', architecture: 'amd64', firmware: 'bios', rootfs: method === 'joined' ? null : 'rootfs-debian-12', targets, layout: [], attachments: [], generation: 0 }
}

/** The same with its second node under another name, and more for its last role. */
export function renamedPlan(second: string): Plan {
  return firstLightPlan({ second, check: { deep: true }, nodes: { [second]: { machine: 'm-n2', index: 1, was: 'n2' } } })
}

/** Two nodes, three roles, a token that exists only after the first of them ran, and whatever comes before. */
export function firstLightPlan({ second = 'n2', check = {}, nodes = {} }: { readonly second?: string; readonly check?: Json; readonly nodes?: Readonly<Record<string, Partial<Plan['nodes'][string]>>> } = {}): Plan {
  const steps = [
    step({ id: 'stage/rootfs-debian-12', node: null }),
    ...[['n1', 'n1'], ['n2', second]].flatMap(([was, node = '']) => [
      step({ id: `discover@${node}`, runsOn: 'admin', document: { machine: { machine: `m-${was}` } } }),
      step({ id: `install@${node}`, needs: [`discover@${node}`, 'stage/rootfs-debian-12'], destructive: true, once: `once-${was}`, artifacts: ['rootfs-debian-12'], document: { install: installDocument(node, 'image', `m-${was}`) } }),
    ]),
    step({ id: 'web/server@n1', needs: ['install@n1'], document: { web: { port: 80 } }, provides: { token: { type: 'string', sensitive: true }, name: { type: 'string', sensitive: false } } }),
    step({ id: `web/client@${second}`, needs: [`install@${second}`, { step: 'web/server@n1', kind: 'data', at: 'barclamp.yaml:3:7' }], document: { web: {}, wants: { token: token as unknown as Json, greeting: greeting as unknown as Json } }, provides: { seen: { type: 'string', sensitive: false } } }),
    step({ id: `web/check@${second}`, needs: [`web/client@${second}`], document: { web: check } }),
    step({ id: 'barrier/web', needs: ['web/server@n1', `web/client@${second}`, `web/check@${second}`] }),
  ]
  return planOf(steps, { artifacts: { 'rootfs-debian-12': { kind: 'rootfs', os: 'debian-12', packages: [] } }, nodes })
}

export function firstLight(): CompiledWork {
  const plan = firstLightPlan()
  return { commit: 'c1', plan, changes: changesOf(plan) }
}

/** The server makes another token each time it runs; the client says what it was given. */
export function playFirstLight(rack: FakeRack): void {
  rack.play = (task, run) => {
    if (task.step === 'web/server@n1') return { provides: { token: `token-${run}`, name: 'n1' } }
    if (task.step === 'web/client@n2') return { provides: { seen: wantsOf(task)['greeting'] ?? null } }
    return {}
  }
}

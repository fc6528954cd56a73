import type { Json } from '../../schemas/shape.ts'
import { buildPlan } from './plan.ts'
import type { NodeSketch, PlanSketch, RoleSketch } from './plan.ts'

const range = (prefix: string, count: number, width: number): readonly string[] => Array.from({ length: count }, (_, index) => `${prefix}${String(index + 1).padStart(width, '0')}`)
const compute = range('compute-', 40, 3)
const storage = range('storage-', 12, 2)
const control = range('ctl', 3, 1)

const password = (version: number): Json => ({
  deferred: { type: 'string', expression: '${wants.password}', scope: {}, inputs: { 'wants.password': { secret: 'database/root', version: String(version) } }, sensitive: true },
})

interface Edits {
  readonly ntp: readonly string[]
  readonly compute17: NodeSketch
  readonly storage: readonly string[]
  readonly secret: number
  readonly exporter: boolean
}

function sketch(edits: Edits): PlanSketch {
  const nodes: { [name: string]: NodeSketch } = {}
  for (const name of compute) nodes[name] = { at: 'compute.yaml:14:5', ...(name === 'compute-017' ? edits.compute17 : {}) }
  for (const name of edits.storage) nodes[name] = { at: 'storage.yaml:3:7', machine: storage.includes(name) ? `m-${name}` : null }
  for (const name of control) nodes[name] = { method: 'joined' }
  const every = Object.keys(nodes)
  const roles: RoleSketch[] = [
    { role: 'chronyd', deployment: 'base', barclamp: 'ntp', on: every, attributes: { servers: edits.ntp }, perNode: { 'compute-003': { servers: ['10.9.9.9'] } }, onChange: { servers: 'restart' } },
    { role: 'mariadb', deployment: 'database', on: control, wants: { password: password(edits.secret) }, onChange: { 'wants.password': 'restart' }, cluster: true },
    { role: 'storage-server', deployment: 'storage', on: edits.storage, wants: { peers: storage.map((_, index) => `10.21.0.${53 + index}`) } },
    ...['hypervisor', 'monitor', 'ssh', 'users', 'logs'].map((role): RoleSketch => ({ role, deployment: 'base', on: compute })),
  ]
  if (edits.exporter) roles.push({ role: 'node-exporter', deployment: 'metrics', on: storage, removal: { entry: 'playbooks/remove.yml', deletesData: false } })
  const missing = edits.storage.filter((name) => !storage.includes(name)).map((name) => ({ what: 'machine', for: name, because: 'no free machine is tagged storage' }))
  return { nodes, roles, missing }
}

const before: Edits = { ntp: ['0.pool.example.com'], compute17: {}, storage, secret: 3, exporter: true }

/** A site of 55 nodes before and after one commit: NTP, a password, a role removed, a node's os, a node more. */
export const reviewedSite = {
  before: buildPlan({ ...sketch(before), commit: '4f1c2ab7d0' }),
  after: buildPlan({
    ...sketch({ ntp: ['ntp1.corp.example.com', 'ntp2.corp.example.com'], compute17: { os: 'debian-13' }, storage: [...storage, 'storage-13'], secret: 4, exporter: false }),
    commit: '9d03e775aa',
  }),
}

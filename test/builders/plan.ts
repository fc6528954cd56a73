import { byCodePoint, digest } from '../../schemas/canonical.ts'
import type { InstallDocument } from '../../schemas/install.ts'
import type { Need, Plan, Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDigest } from '../../schemas/step-digest.ts'

/** A node of a plan under test; what is left out is what most tests do not care about. */
export interface NodeSketch {
  /** In the lock; default: by its place among the nodes. */
  readonly index?: number
  readonly machine?: string | null
  readonly os?: string
  readonly method?: 'image' | 'joined'
  readonly admin?: boolean
  readonly generation?: number
  readonly protect?: boolean
  /** Disks that an install writes, by id; serial `S-<id>`, 960 GB. */
  readonly targets?: readonly string[]
  readonly layout?: InstallDocument['layout']
  readonly at?: string
}

export interface RoleSketch {
  readonly role: string
  readonly on: readonly string[]
  readonly deployment?: string
  readonly barclamp?: string
  readonly attributes?: { readonly [path: string]: Json }
  readonly perNode?: { readonly [node: string]: { readonly [path: string]: Json } }
  readonly wants?: { readonly [want: string]: Json }
  readonly otherParts?: { readonly [barclamp: string]: Json }
  readonly files?: { readonly [path: string]: string }
  readonly onChange?: Step['onChange']
  readonly removal?: Step['removal']
  readonly destructive?: boolean
  readonly provides?: Step['provides']
  /** Roles `role` of the same node, or whole step ids. */
  readonly needs?: readonly string[]
  readonly cluster?: boolean
  readonly packages?: readonly string[]
}

export interface PlanSketch {
  readonly commit?: string
  readonly nodes: { readonly [name: string]: NodeSketch }
  readonly roles?: readonly RoleSketch[]
  readonly missing?: Plan['missing']
}

export const TARGET_BYTES = 960_197_124_096

/** A plan that hangs together: digests, once-keys, shared documents, cohorts and order are what a compiler would give. */
export function buildPlan(sketch: PlanSketch): Plan {
  const values: { [digest: string]: Json } = {}
  const contents: { [digest: string]: Plan['contents'][string] } = {}
  const steps: Step[] = []
  const keep = (value: Json): string => {
    const key = digest(value)
    values[key] = value
    return key
  }
  const document = (parts: { readonly [part: string]: Json }): string =>
    keep({ parts: Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, keep(value)])) })

  const systems = new Set(Object.values(sketch.nodes).filter((node) => node.admin !== true && node.method !== 'joined').map((node) => node.os ?? 'debian-12'))
  for (const os of systems) steps.push(blankStep({ id: `stage/rootfs-${os}`, kind: 'stage', runsOn: 'admin', artifacts: [`rootfs-${os}`] }))
  for (const [name, node] of Object.entries(sketch.nodes)) {
    if (node.admin === true) continue
    const machine = machineOf(name, node)
    const joined = node.method === 'joined'
    steps.push(blankStep({ id: `discover@${name}`, kind: 'discover', node: name, runsOn: 'admin', attributes: document({ machine: { machine, selector: `mac of ${name}` }, ...(node.protect === true ? { protect: true } : {}) }) }))
    const install = machine === null ? null : installOf(name, machine, node)
    steps.push(
      blankStep({
        id: `install@${name}`,
        kind: 'install',
        node: name,
        attributes: install === null ? null : document({ install: install as unknown as Json }),
        artifacts: joined ? [] : [`rootfs-${node.os ?? 'debian-12'}`],
        destructive: !joined,
        once: install === null ? null : digest({ machine, os: install.os, targets: install.targets as unknown as Json, layout: install.layout as unknown as Json, generation: install.generation }),
        needs: [need(`discover@${name}`), ...(joined ? [] : [need(`stage/rootfs-${node.os ?? 'debian-12'}`)])],
      }),
    )
  }
  for (const role of sketch.roles ?? []) addRole(role, { sketch, steps, document, contents })
  const ordered = inOrder(steps)
  const body = {
    source: { commit: sketch.commit ?? 'c0ffee00', tree: 'tree', lock: null },
    missing: sketch.missing ?? [],
    nodes: Object.fromEntries(Object.entries(sketch.nodes).map(([name, node], index) => [name, planNode(name, node, index)])),
    values,
    contents,
    steps: ordered,
  }
  return {
    version: 1,
    id: digest(body),
    crowbar: '0.1.0',
    site: { name: 'austin', domain: 'austin.example.com', admin: { network: 'admin', address: '10.20.0.10' }, automation: { discovery: 'commit', apply: 'manual' } },
    complete: body.missing.length === 0,
    networks: {},
    systems: {},
    sources: {},
    agents: {},
    roles: {},
    artifacts: {},
    operations: [],
    rollouts: [],
    warnings: [],
    ...body,
  }
}

interface Building {
  readonly sketch: PlanSketch
  readonly steps: Step[]
  readonly document: (parts: { readonly [part: string]: Json }) => string
  readonly contents: { [digest: string]: Plan['contents'][string] }
}

function addRole(role: RoleSketch, { sketch, steps, document, contents }: Building): void {
  const deployment = role.deployment ?? 'base'
  const barclamp = role.barclamp ?? role.role
  const files = Object.fromEntries(
    Object.entries(role.files ?? { 'run.sh': 'true' }).map(([path, text]) => [path, { sha256: digest(text).slice('sha256:'.length), bytes: text.length, mode: '0755' as const }]),
  )
  // As in a compiled plan: the digest is not one over the listing as it stands.
  const content = digest(Object.entries(files).map(([path, file]) => [path, file.mode, file.sha256]))
  contents[content] = files
  for (const name of role.on) {
    const node = sketch.nodes[name] ?? {}
    const lifecycle = node.admin === true ? [] : [need(`install@${name}`)]
    const asked = (role.needs ?? []).map((id) => need(/[@/]/.test(id) ? id : `${deployment}/${id}@${name}`, 'requires'))
    const known = node.admin === true || machineOf(name, node) !== null
    const parts = { [barclamp]: { ...role.attributes, ...role.perNode?.[name] }, ...role.otherParts, ...(role.wants === undefined ? {} : { wants: role.wants }) }
    steps.push(
      blankStep({
        id: `${deployment}/${role.role}@${name}`,
        kind: 'role',
        node: name,
        deployment,
        role: role.role,
        barclamp,
        content,
        jig: 'script',
        entry: 'run.sh',
        attributes: known ? document(parts) : null,
        onChange: role.onChange ?? {},
        removal: role.removal ?? null,
        destructive: role.destructive ?? false,
        once: role.destructive === true ? digest({ role: role.role, node: name, machine: machineOf(name, node), generation: node.generation ?? 0 }) : null,
        provides: role.provides ?? {},
        packages: role.packages ?? [],
        artifacts: role.packages === undefined ? [] : [`packages-${sketch.nodes[name]?.os ?? 'debian-12'}`],
        needs: [...lifecycle, ...asked],
      }),
    )
  }
  if (role.cluster === true) {
    steps.push(blankStep({ id: `barrier/${deployment}/${role.role}`, kind: 'barrier', runsOn: 'admin', needs: role.on.map((name) => need(`${deployment}/${role.role}@${name}`, 'cluster')) }))
  }
}

function blankStep(step: Partial<Step> & Pick<Step, 'id' | 'kind'>): Step {
  const full: Step = {
    action: 'run',
    node: null,
    runsOn: 'node',
    deployment: null,
    role: null,
    barclamp: null,
    content: null,
    jig: null,
    entry: null,
    attributes: null,
    artifacts: [],
    packages: [],
    provides: {},
    needs: [],
    once: null,
    destructive: false,
    timeout: 600,
    retries: { max: 0, backoff: 0 },
    onChange: {},
    removal: null,
    entries: {},
    cohort: 0,
    digest: '',
    ...step,
  }
  return { ...full, digest: stepDigest(full) }
}

function need(step: string, kind: Need['kind'] = 'lifecycle'): Need {
  return { step, kind, at: 'site.yaml:1:1' }
}

function machineOf(name: string, node: NodeSketch): string | null {
  return node.machine === undefined ? `m-${name}` : node.machine
}

function installOf(name: string, machine: string, node: NodeSketch): InstallDocument {
  const joined = node.method === 'joined'
  return {
    method: node.method ?? 'image',
    machine,
    hostname: name,
    domain: 'austin.example.com',
    os: node.os ?? 'debian-12',
    architecture: 'amd64',
    firmware: joined ? 'container' : 'uefi',
    rootfs: joined ? null : `rootfs-${node.os ?? 'debian-12'}`,
    targets: joined ? [] : (node.targets ?? ['d0']).map((id, index) => ({ entry: index === 0 ? 'system' : `data${index}`, id, serial: `S-${id}`, bytes: TARGET_BYTES })),
    layout: node.layout ?? [{ on: 'system', mount: '/', fs: 'ext4', size: 'rest' }],
    attachments: [],
    generation: node.generation ?? 0,
  } as unknown as InstallDocument
}

function planNode(name: string, node: NodeSketch, index: number): Plan['nodes'][string] {
  return {
    machine: node.admin === true ? null : machineOf(name, node),
    admin: node.admin ?? false,
    os: node.os ?? 'debian-12',
    hardware: null,
    tags: [],
    labels: {},
    addresses: { admin: `10.20.0.${index + 20}` },
    attachments: [],
    index: node.index ?? index,
    generation: node.generation ?? 0,
    protect: node.protect ?? false,
    selector: `mac of ${name}`,
    pin: {},
    at: node.at ?? `nodes/${name}.yaml:2:1`,
  }
}

function inOrder(steps: readonly Step[]): readonly Step[] {
  const byId = new Map(steps.map((step) => [step.id, step]))
  const cohorts = new Map<string, number>()
  const cohortOf = (id: string): number => {
    const known = cohorts.get(id)
    if (known !== undefined) return known
    const needs = byId.get(id)?.needs ?? []
    const cohort = needs.reduce((highest, one) => Math.max(highest, byId.has(one.step) ? cohortOf(one.step) + 1 : 0), 0)
    cohorts.set(id, cohort)
    return cohort
  }
  return steps.map((step) => ({ ...step, cohort: cohortOf(step.id) })).toSorted((a, b) => a.cohort - b.cohort || byCodePoint(a.id, b.id))
}

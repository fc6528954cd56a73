import { fileURLToPath } from 'node:url'
import { compile } from '../../compiler/compile.ts'
import type { Compiled } from '../../compiler/compile.ts'
import { lockText } from '../../compiler/allocate/lock-text.ts'
import { readBuiltin } from '../../compiler/cli/session.ts'
import { placeOf } from '../../compiler/parse/document.ts'
import type { GitTrees } from '../../compiler/resolve/git-source.ts'
import { readFolder } from '../../compiler/tree/folder.ts'
import { treeOf } from '../../compiler/tree/tree.ts'
import type { Tree } from '../../compiler/tree/tree.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Facts } from '../../schemas/inventory.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import type { StepDocument } from '../../schemas/step-values.ts'

export type Texts = Readonly<Record<string, string>>
type Success = Extract<Compiled, { readonly ordered: unknown }>

const BUILTIN = readBuiltin()
/** What SITE builds on: the operating systems, and none of the roles, which become more. */
const SYSTEMS: Tree = { commit: null, files: new Map([...BUILTIN.files].filter(([path]) => path.startsWith('builtin:debian/'))) }

/** A site document, an admin network with ranges, and an admin node; tests add what they are about. */
export const SITE = `kind: site
name: test
domain: test.example.com
admin: { network: admin, address: 10.0.0.2 }
barclamps: [builtin, { path: barclamps }]
---
kind: network
name: admin
subnets:
  - cidr: 10.0.0.0/24
    gateway: 10.0.0.1
    ranges: { admin: 10.0.0.2-10.0.0.9, dhcp: 10.0.0.20-10.0.0.49, host: 10.0.0.50-10.0.0.99, vip: 10.0.0.100-10.0.0.109 }
---
kind: node
name: adm
admin: true
`

/** A barclamp without attributes, so that there always is one. */
export const EMPTY_BARCLAMP = 'kind: barclamp\nname: empty\nversion: 1.0.0\n'

/** What the example private-barclamp is fetched from, as it lies beside it; nothing else is in reach. */
const gitTrees: GitTrees = ({ url, commit }) => (commit === null || url !== 'https://git.example.com/ops/banner.git' ? { kind: 'unpinned' } : { kind: 'found', commit, tree: readFolder(fileURLToPath(new URL('../../site-examples/private-barclamp/golden/repository', import.meta.url)), () => {}), diagnostics: [] })

export function compileTree(tree: Tree, builtin: Tree = BUILTIN): Compiled {
  return compile({ tree, builtin, gitTrees, crowbar: '0.0.0' })
}

/** What a plan lacks beside the versions of packages, which no site of these tests has locked. */
export function lacks(plan: Plan): Plan['missing'] {
  return plan.missing.filter(({ what }) => what !== 'packages')
}

/** Compiles SITE with more files beside it; a text of the same path replaces. */
export function compileTexts(texts: Texts): Compiled {
  return compileTree(treeOf({ 'site.yaml': SITE, 'barclamps/empty/barclamp.yaml': EMPTY_BARCLAMP, ...texts }), SYSTEMS)
}

/** The same, for a site that has to be good. */
export function compiled(texts: Texts): Success {
  return success(compileTexts(texts))
}

export function success(result: Compiled): Success {
  if (result.plan === null) throw new Error(result.diagnostics.map(line).join('\n'))
  return result
}

/** The tree of a site example. */
export function exampleTree(name: string): Tree {
  const tree = readFolder(fileURLToPath(new URL(`../../site-examples/${name}`, import.meta.url)), () => {})
  return { commit: null, files: new Map([...tree.files].filter(([path]) => !path.startsWith('golden/'))) }
}

/** A tree with more files. */
export function withFiles(tree: Tree, texts: Texts): Tree {
  return { commit: tree.commit, files: new Map([...tree.files, ...treeOf(texts).files]) }
}

/** `CODE path:line:column`, of every diagnostic. */
export function codes(result: Compiled): readonly string[] {
  return result.diagnostics.map(({ code, range }) => `${code} ${range === undefined ? '-' : placeOf(range)}`)
}

function line({ code, range, summary }: Diagnostic): string {
  return `${code} ${range === undefined ? '-' : placeOf(range)} ${summary}`
}

export function lockFile(lock: Lock): Texts {
  return { 'site.lock.json': lockText(lock) }
}

export function stepOf(plan: Plan, id: string): Step {
  const step = plan.steps.find((each) => each.id === id)
  if (step === undefined) throw new Error(`no step ${id} among ${plan.steps.map((each) => each.id).join(', ')}`)
  return step
}

export function documentOf(plan: Plan, id: string): StepDocument {
  const document = stepDocument(stepOf(plan, id), plan.values)
  if (document === null) throw new Error(`${id} has no document`)
  return document
}

export interface MachineWish {
  readonly macs?: readonly string[]
  readonly disks?: readonly { readonly serial: string; readonly bytes?: number; readonly rotational?: boolean }[]
  readonly firmware?: 'bios' | 'uefi'
  readonly serial?: string
  readonly product?: string
  readonly memory?: number
}

/** An inventory file of a machine. */
export function machine(id: string, wish: MachineWish = {}): Texts {
  const facts: Facts = {
    architecture: 'amd64',
    firmware: { kind: wish.firmware ?? 'bios' },
    dmi: { vendor: 'Example', product: wish.product ?? 'Box', serial: wish.serial ?? `serial-${id}`, uuid: `00000000-0000-0000-0000-${id.padStart(12, '0')}`, asset: '' },
    cpu: { model: 'cpu', cores: 2, threads: 4 },
    memory: { bytes: wish.memory ?? 1_073_741_824 },
    disks: (wish.disks ?? [{ serial: `disk-${id}` }]).map(({ serial, bytes, rotational }, i) => ({ bytes: bytes ?? 4_294_967_296, rotational: rotational ?? false, model: 'disk', serial, wwn: '', bus: 'virtio', path: `pci-0000:00:0${i}.0` })),
    nics: (wish.macs ?? ['52:54:00:00:00:01']).map((mac, i) => ({ mac, driver: 'virtio_net', bus: `0000:00:1${i}.0`, speed: i === 0 ? 1000 : 10_000 })),
  }
  return { [`inventory/${id}.json`]: JSON.stringify({ kind: 'machine', id, facts }) }
}

import { expect, test } from 'vitest'
import { own } from '../../schemas/own.ts'
import { EMPTY_LOCK } from '../../schemas/lock.ts'
import { idOfLocked } from '../../schemas/lock.ts'
import type { Lock } from '../../schemas/lock.ts'
import { lockText } from '../../compiler/allocate/lock-text.ts'
import { treeOf } from '../../compiler/tree/tree.ts'
import { edit, EDITS } from '../builders/living-edits.ts'
import type { Asked, Edit } from '../builders/living-edits.ts'
import { filesOf, FIRST_SITE, idOf } from '../builders/living-site.ts'
import type { LivingSite } from '../builders/living-site.ts'
import { codes, compileTree, lockFile } from './compiling.ts'
import fc from '../property.ts'

/** Sequences of edits; a long run is CROWBAR_RUNS=5000 with any seed. */
const RUNS = Number(process.env['CROWBAR_RUNS'] ?? 60)
const SEED = Number(process.env['CROWBAR_SEED'] ?? 20_261_122)

/** With these the author is told, and takes the edit back: nothing of it is committed. */
const REFUSED: ReadonlySet<string> = new Set(['CLAIM_AMBIGUOUS', 'ADDRESS_CONFLICT', 'ADDRESS_OUTSIDE_RANGE', 'DISKS_TOO_FEW', 'HARDWARE_UNDECLARED', 'MAC_CONFLICT', 'ROLE_COUNT'])

const EDIT: fc.Arbitrary<Edit> = fc.record({ do: fc.constantFrom(...EDITS), a: fc.nat(40), b: fc.nat(40) })

interface Life {
  readonly site: LivingSite
  readonly lock: Lock
  /** `role index` or `node index` → who has or had it, under the name of today or the last one. */
  readonly indexes: ReadonlyMap<string, string>
}

test('whatever people and machines do to a site, nothing moves that they did not ask to move', () => {
  let done = 0
  let refused = 0
  fc.assert(
    fc.property(fc.array(EDIT, { minLength: 5, maxLength: 40, size: 'max' }), (edits) => {
      let life: Life = { site: FIRST_SITE, lock: EMPTY_LOCK, indexes: new Map() }
      for (const each of edits) {
        const asked = edit(life.site, each)
        if (asked === undefined) continue
        const files = { ...filesOf(asked.site), ...lockFile(life.lock) }
        const result = compileTree(treeOf(files))
        if (result.plan === null) {
          expect(codes(result).filter((code) => !REFUSED.has(code.split(' ')[0] as string) && !/ (?:warning)/.test(code) && result.diagnostics.some((one) => one.severity === 'error' && code.startsWith(one.code)))).toEqual([])
          refused++
          continue
        }
        done++
        checkStays(life, asked, result.lock)
        const indexes = checkIndexes(life, asked, result.lock)
        life = { site: asked.site, lock: result.lock, indexes }
      }
      if (life.lock !== EMPTY_LOCK) checkFixpoint(life)
    }),
    { numRuns: RUNS, seed: SEED },
  )
  // Otherwise this would be about nothing.
  if (RUNS > 1000) console.log(`${done} edits committed, ${refused} refused`)
  expect(done).toBeGreaterThan(4 * refused)
}, 3_600_000)

/** What the lock had of whoever is still there, it has still, under the name of today. */
function checkStays({ site: before, lock: old }: Life, { site, renamed, claims, storage }: Asked, lock: Lock): void {
  const today = (name: string): string => renamed.get(name) ?? name
  for (const node of before.nodes) {
    const name = today(node.name)
    const now = site.nodes.find((each) => each.name === name)
    if (now === undefined) continue
    expect(lock.nodes[name]?.index, `index of ${name}`).toBe(old.nodes[node.name]?.index)
    const claim = own(old.claims, node.name)
    const retired = claim !== undefined && site.machines.some((machine, i) => machine.retired && idOf(i) === claim)
    const free = (claims.has(name) && (retired || 'pin' in now.claim))
    if (claim !== undefined && !free) expect(own(lock.claims, name), `machine of ${name}`).toBe(claim)
    for (const field of ['os', 'hardware'] as const) {
      const chosen = old.nodes[node.name]?.[field]
      if (chosen !== undefined && (field === 'hardware' || now.os === null)) expect(lock.nodes[name]?.[field], `${field} of ${name}`).toBe(chosen)
    }
    if (claim !== undefined && own(lock.claims, name) === claim) {
      for (const [key, disks] of entriesOf(old.disks ?? {}, node.name)) expect(lock.disks?.[`${name}/${key}`]?.slice(0, disks.length), `disks ${key} of ${name}`).toEqual(disks)
    }
  }
  for (const [key, address] of Object.entries(old.addresses)) {
    const [network, holder, version] = key.split('/') as [string, string, string?]
    const name = today(holder)
    const kept = own(lock.addresses, [network, name, ...(version === undefined ? [] : [version])].join('/'))
    const node = site.nodes.find((each) => each.name === name)
    const deployment = site.deployments.find((each) => holder === `${each.name}:front`)
    if (network === 'storage' ? node === undefined || storage === null || storage.has(name) : node === undefined && deployment?.virtual !== true && name !== 'adm') continue
    expect(kept, `address ${key}`).toBe(address)
  }
  for (const [key, binding] of Object.entries(old.bindings)) {
    const now = lock.bindings[key]
    expect(now?.next ?? -1, `next of ${key}`).toBeGreaterThanOrEqual(binding.next)
    const [deployment, role] = key.split('/') as [string, string]
    const asks = site.deployments.find((each) => each.name === deployment)?.roles.find((each) => each.role === role)
    const had = before.deployments.find((each) => each.name === deployment)?.roles.find((each) => each.role === role)
    // The implicit role is wherever the one is that requires it.
    const requiring = role === 'base' ? Object.keys(own(lock.bindings, `${deployment}/alpha`)?.members ?? {}) : undefined
    if (requiring === undefined && (asks === undefined || had === undefined)) continue
    for (const [member, index] of Object.entries(binding.members)) {
      const name = today(member)
      const stays = requiring?.includes(name) ?? (site.nodes.some((each) => each.name === name) && (asks !== undefined && 'nodes' in asks.bound ? asks.bound.nodes.includes(name) : true))
      if (stays) expect(own(now?.members, name), `${name} in ${key}`).toBe(index)
    }
    const founder = binding.founder === undefined ? undefined : today(binding.founder)
    if (founder !== undefined && own(now?.members, founder) !== undefined) expect(now?.founder, `founder of ${key}`).toBe(founder)
  }
}

/** An index that somebody had is nobody else's, ever. A node that comes back under its name has its own again. */
function checkIndexes({ indexes: before }: Life, { renamed }: Asked, lock: Lock): ReadonlyMap<string, string> {
  // Who takes the name of a node that is gone leaves it the name that was free then.
  const free = [...renamed.keys()].find((name) => ![...renamed.values()].includes(name))
  const taken = [...renamed.values()].find((name) => !renamed.has(name))
  const today = (name: string): string => renamed.get(name) ?? (name === taken ? (free as string) : name)
  const indexes = new Map([...before].map(([thing, name]) => [thing, today(name)]))
  const take = (thing: string, name: string): void => {
    expect(indexes.get(thing) ?? name, thing).toBe(name)
    indexes.set(thing, name)
  }
  for (const [name, { index }] of Object.entries(lock.nodes)) take(`node ${index}`, name)
  for (const [key, { members, next }] of Object.entries(lock.bindings)) {
    for (const [name, index] of Object.entries(members)) {
      take(`${key} ${index}`, name)
      expect(index).toBeLessThan(next)
    }
  }
  return indexes
}

/** The new lock asks for no newer one, and neither how the files came here nor how often it is asked makes a difference. */
function checkFixpoint({ site, lock }: Life): void {
  const { files } = treeOf({ ...filesOf(site), ...lockFile(lock) })
  const [first, second] = [[...files], [...files].toReversed()].map((entries) => compileTree({ commit: null, files: new Map(entries) }))
  if (first?.plan === null || second?.plan === null || first === undefined || second === undefined) throw new Error('the last good site does not compile again')
  expect(first.lockChanged).toBe(false)
  expect(lockText(first.lock)).toBe(lockText(lock))
  expect(JSON.stringify(second.plan)).toBe(JSON.stringify(first.plan))
}

function entriesOf(disks: NonNullable<Lock['disks']>, node: string): readonly (readonly [entry: string, ids: readonly string[]])[] {
  return Object.entries(disks).flatMap(([key, ids]) => (key.startsWith(`${node}/`) ? [[key.slice(node.length + 1), ids.map(idOfLocked)] as const] : []))
}

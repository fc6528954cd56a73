import { describe, expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { placesOf } from '../../../compiler/cli/places.ts'
import { judge, policiesOf } from '../../../compiler/judge/judge.ts'
import { diffMarkdown } from '../../../compiler/print/diff-markdown.ts'
import { diffText } from '../../../compiler/print/diff-text.ts'
import type { Changes } from '../../../schemas/changes.ts'
import type { InstallTarget } from '../../../schemas/install.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { AFTER, austin, BEFORE } from '../../builders/austin.ts'
import type { AustinEdit } from '../../builders/austin.ts'
import { expectGolden } from '../../builders/golden.ts'
import { applied } from '../../builders/ledger.ts'
import { idOfLocked } from '../../../schemas/lock.ts'
import { compileTree, documentOf, exampleTree, lockFile, success } from '../compiling.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'

const compile = (edit: AustinEdit, commit: string, lock: Parameters<typeof lockFile>[0] | null) => success(compileTree({ ...treeOf({ ...austin(edit), ...(lock === null ? {} : lockFile(lock)) }), commit }))
const first = compile(BEFORE, '4f1c2ab7d0', null)
const targets = (documentOf(first.plan, 'install@compute-017')['install'] as unknown as { readonly targets: readonly InstallTarget[] }).targets
const seen = (id: string, serial: string, bytes: number, summary: string) => ({ id, serial, model: 'Example', bytes, blank: false, signature: summary, summary, stamp: null })
const machine = first.plan.nodes['compute-017']?.machine ?? ''
const [target] = targets
if (target === undefined) throw new Error('compute-017 has no disk to be installed on')
const ledger = applied(first.plan, { machines: [{ id: machine, seen: '2026-02-27T10:11:12.000Z', disks: [seen(target.id, target.serial, target.bytes, 'gpt: efi, ext4 /'), seen(idOfLocked(first.lock.disks?.['compute-017/scratch']?.[0] ?? ''), 'PHYF16', 3_840_755_982_336, 'lvm: scratch')] }] })
const MACHINES = { [machine]: { label: '4XK0017, Example R650', seen: '2026-02-27T10:11:12.000Z' } }

function review(edit: AustinEdit, from: Ledger = ledger): { readonly changes: Changes; readonly plan: Plan } {
  const compiled = compile(edit, '9d03e775aa', first.lock)
  return { changes: judge(change(from, compiled.plan, { at: placesOf(compiled) }), compiled.plan, policiesOf(compiled)), plan: compiled.plan }
}
const golden = (name: string): URL => new URL(`golden/${name}`, import.meta.url)

describe('the review of a commit to austin', () => {
  const { changes, plan } = review(AFTER)

  test('reads so', () => {
    expectGolden(diffText(changes, plan, { machines: MACHINES }), golden('austin.txt'))
  })

  test('reads so in a pull request', () => {
    expectGolden(diffMarkdown(changes, plan, { machines: MACHINES }), golden('austin.md'))
  })

  test('with an operation reads so', () => {
    const kernel = 'kind: operation\nname: 2026-12-kernel\ndo: [drain, reboot, resume]\nwhere: "node.name.startsWith(\'compute-\')"\nrollout: { batches: [1, 10%], maxFailures: 1, pause: after-first }\n'
    const operation = review({ ...BEFORE, more: kernel })
    expectGolden(diffText(operation.changes, operation.plan, { machines: MACHINES }), golden('austin-kernel.txt'))
  })

  test('reads so before any machine was seen, and says once what is the same of many nodes', () => {
    const example = success(compileTree(exampleTree('austin')))
    expectGolden(diffText(change(EMPTY_LEDGER, example.plan, { at: placesOf(example) }), example.plan), golden('austin-first.txt'))
  })

  test('is no wider than eighty columns', () => {
    for (const text of [diffText(changes, plan, { machines: MACHINES }), diffText(changes, plan, { machines: MACHINES, full: true })]) expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  })
})

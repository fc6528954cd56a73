import { expect, test } from 'vitest'
import { change } from '../../compiler/change/change.ts'
import { ledgerOfPlan } from '../../compiler/change/ledger-of-plan.ts'
import { placesOf } from '../../compiler/cli/places.ts'
import { diffText } from '../../compiler/print/diff-text.ts'
import { treeOf } from '../../compiler/tree/tree.ts'
import { SITE_EXAMPLES } from '../builders/example-sites.ts'
import { expectGolden } from '../builders/golden.ts'
import { planGolden } from '../builders/plan-golden.ts'
import { compileTree, exampleTree, success } from '../compiler/compiling.ts'

const SITE = exampleTree('rollout')
const golden = (file: string): URL => new URL(`rollout/golden/${file}`, SITE_EXAMPLES)
const text = (path: string): string => new TextDecoder().decode(SITE.files.get(path)?.bytes())
/** The commit before: release 2.3, and no operation. */
const BEFORE = { commit: null, files: new Map([...SITE.files, ...treeOf({ 'deployment.yaml': text('deployment.yaml').replace('2.4', '2.3') }).files].filter(([path]) => path !== 'kernel.yaml')) }

test('rollout shows what a commit does to a cluster that runs: waves, a gate, a pause, a reboot of all in turn', () => {
  const before = success(compileTree(BEFORE)).plan
  expectGolden(planGolden(before).text, golden('before.json'))
  const head = success(compileTree(SITE))
  const { ledger, options } = ledgerOfPlan(before)
  const changes = change(ledger, head.plan, { ...options, at: placesOf(head) })
  expect(changes.rollouts.map(({ id, batches }) => [id, batches])).toEqual([
    ['rollout/shop/shop-web', [['shop-1'], ['shop-3', 'shop-5', 'shop-2'], ['shop-4', 'shop-6']]],
    ['operation/2026-12-kernel', [['shop-1'], ['shop-3', 'shop-5'], ['shop-2', 'shop-4'], ['shop-6']]],
  ])
  expectGolden(diffText(changes, head.plan), golden('diff.txt'))
})

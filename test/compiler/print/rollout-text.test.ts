import { describe, expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { selectChanges } from '../../../compiler/change/select.ts'
import { changesGithub } from '../../../compiler/cli/changes-github.ts'
import { placesOf } from '../../../compiler/cli/places.ts'
import { diffMarkdown } from '../../../compiler/print/diff-markdown.ts'
import { diffText } from '../../../compiler/print/diff-text.ts'
import { planText } from '../../../compiler/print/plan-text.ts'
import type { Changes } from '../../../schemas/changes.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { applied } from '../../builders/ledger.ts'
import { rollingSite } from '../../builders/rolling-site.ts'
import type { RollingSite } from '../../builders/rolling-site.ts'
import { compiled, lockFile } from '../compiling.ts'

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `w${String(i + 1).padStart(4, '0')}`)
const KERNEL = "kind: operation\nname: kernel\ndo: [drain, reboot, resume]\nwhere: \"'shop' in node.tags\"\n"

/** A site that was applied, and a commit that changes its port and adds an operation. */
function edited(site: RollingSite): { readonly changes: Changes; readonly plan: Plan } {
  const before = compiled(rollingSite(site))
  const after = compiled({ ...rollingSite({ ...site, port: 81, documents: KERNEL }), ...lockFile(before.lock) })
  return { changes: change(applied(before.plan), after.plan, { at: placesOf(after) }), plan: after.plan }
}
const words = (text: string): string => text.replace(/\s+/g, ' ')
const headings = (text: string): readonly string[] => text.split('\n').filter((line) => /^(RESTART|RUN|REBOOT) /.test(line)).map((line) => line.replace(/ {2,}\S+:\d+:\d+$/, ''))
const web = (rollout: string): RollingSite => ({ deployment: `rollout: { web: ${rollout} }\n` })

describe('a heading says the waves', () => {
  test.each<[string, number, string]>([
    ['{ batches: [1] }', 3, 'RESTART  app/web on w[0001-0003]: w0001, w0002, w0003'],
    ['{ batches: [1] }', 9, 'RESTART  app/web on w[0001-0009]: one at a time'],
    ['{ batches: [1, 10%, 100%] }', 53, 'RESTART  app/web on w[0001-0053]: waves 1, 6, 46'],
    ['{ batches: [1, 10%] }', 53, 'RESTART  app/web on w[0001-0053]: waves 1, 8 x 6, 4'],
    ['{ batches: [100%] }', 9, 'RESTART  app/web on w[0001-0009]'],
  ])('%s of %i nodes', (rollout, count, expected) => {
    const { changes, plan } = edited({ nodes: names(count), ...web(rollout) })
    expect(headings(diffText(changes, plan))).toContain(expected)
  })
})

test('gate, budget and pause are said, and what lets it go on comes next', () => {
  const { changes, plan } = edited({ nodes: names(9), ...web('{ batches: [1, 2], gate: { check: web, timeout: 90s }, pause: after-each, maxFailures: 2 }') })
  const text = diffText(changes, plan)
  expect(words(text)).toContain('gate app/web#check after each wave, within 90s; stops when more than 2 nodes fail')
  expect(text).toContain('pause     after each wave, until: crowbar approve rollout/app/web')
  expect(words(text.slice(text.indexOf('NEXT')))).toContain('After each of its waves app/web waits: crowbar approve rollout/app/web')
})

test('hundreds of nodes fit a screen, also with waves and an operation', () => {
  const { changes, plan } = edited({ nodes: names(400), ...web('{ batches: [1, 10%], spreadBy: rack, pause: after-first }') })
  const text = diffText(changes, plan)
  expect(text.split('\n').length).toBeLessThan(40)
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(text).toContain('REBOOT  operation/kernel on w[0001-0400]: one at a time')
  expect(diffMarkdown(changes, plan, { maxBytes: 2000 }).length).toBeLessThanOrEqual(2000)
  expect(changesGithub(changes).trimEnd().split('\n')).toHaveLength(1)
})

test('what was selected is said, with what it pulled in and deferred, and stands in the command', () => {
  const { changes, plan } = edited({ nodes: names(4) })
  const selected = selectChanges(changes, plan, { target: ['*/reboot@w0001', 'app/web@w0002'], exclude: ['app/base@w0002'] })
  const text = words(diffText(selected, plan))
  expect(text).toContain('SELECTED --target */reboot@w0001 --target app/web@w0002 --exclude app/base@w0002: ')
  expect(text).toContain('pulled in operation/kernel/drain@w0001, needed by operation/kernel/reboot')
  expect(text).toContain('deferred app/web@w0002, needs app/base')
  expect(text).toContain("--target '*/reboot@w0001' ")
})

test('a plan says its operations and rollouts', () => {
  const { plan } = edited({ nodes: names(4), ...web('{ batches: [1], gate: { check: web } }') })
  const text = words(planText(plan))
  expect(text).toContain('OPERATIONS kernel drain, reboot, resume on w[0001-0004]')
  expect(text).toContain('app/web batches 1; 0 may fail; gate app/web#check')
})

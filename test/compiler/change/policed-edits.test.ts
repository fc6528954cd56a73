import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { judge, policiesOf } from '../../../compiler/judge/judge.ts'
import { compiled, LEDGERS, lock, replaced } from './editing.ts'
import type { Edit } from './editing.ts'

const policy = (level: string, check = "!changes.exists(c, c.consequence == 'wipe')"): Edit => ({ 'policy.yaml': `kind: policy\nname: by-hand\nlevel: ${level}\ncheck: ${JSON.stringify(check)}\nmessage: no\n` })
const OS = replaced('nodes/n3.yaml', 'hardware: two', 'os: debian-13\nhardware: two')
const NTP = replaced('site.yaml', '[a]', '[b]')

/** Former policy, edit, and the levels at which the edit violates it, by state of the ledger: those that failed have wipes left. */
const ROWS: readonly (readonly [string, Edit, Edit, { readonly complete: readonly string[]; readonly partial: readonly string[]; readonly failed: readonly string[] }])[] = [
  ['that comes with what it denies', {}, { ...policy('deny'), ...OS }, { complete: ['deny'], partial: ['deny'], failed: ['deny'] }],
  ['that comes with what it says nothing of', {}, { ...policy('deny'), ...NTP }, { complete: [], partial: ['deny'], failed: ['deny'] }],
  ['that goes with what it denies', policy('deny'), OS, { complete: ['deny'], partial: ['deny'], failed: ['deny'] }],
  ['that goes alone', policy('deny'), {}, { complete: [], partial: ['deny'], failed: ['deny'] }],
  ['that is made weaker by what it denies', policy('deny'), { ...policy('advise'), ...OS }, { complete: ['advise', 'deny'], partial: ['advise', 'deny'], failed: ['advise', 'deny'] }],
  ['that is made stronger with what it denies', policy('warn'), { ...policy('deny'), ...OS }, { complete: ['deny'], partial: ['deny'], failed: ['deny'] }],
  ['that gets another check with what it denies', policy('deny'), { ...policy('deny', 'true'), ...OS }, { complete: ['deny'], partial: ['deny'], failed: ['deny'] }],
  ['that went by a commit of its own, before what it denied', {}, OS, { complete: [], partial: [], failed: [] }],
]

describe('a policy', () => {
  for (const [what, former, edit, levels] of ROWS) {
    for (const state of ['complete', 'partial', 'failed'] as const) {
      it(`${what} counts as it should on a ledger that is ${state}`, () => {
        const after = compiled(edit, lock)
        const judged = judge(change(LEDGERS[state] ?? fail(state), after.plan), after.plan, policiesOf(after), policiesOf(compiled(former, lock)))
        expect(judged.violations.map(({ level }) => level).toSorted()).toStrictEqual(levels[state])
      })
    }
  }
})

function fail(state: string): never {
  throw new Error(`there is no ledger that is ${state}`)
}

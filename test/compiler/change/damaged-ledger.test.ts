import { expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { CONSEQUENCES } from '../../../schemas/documents/words.ts'
import { readLedger, writeLedger } from '../../../schemas/ledger-tree.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { attributes, compiled, LEDGERS, lock, replaced, role } from './editing.ts'
import fc from '../../property.ts'

type Files = ReadonlyMap<string, string>

const PLANS: readonly Plan[] = [
  {}, attributes('port: 1'), attributes('datadir: /srv'), replaced('site.yaml', '[a]', '[b]'), replaced('nodes/n1.yaml', 'debian-12', 'debian-13'),
  role('  cache: { nodes: [n2] }\n', ''), role('  db: { nodes: [n1, n2] }\n', ''), replaced('nodes/n3.yaml', 'tags: [big]', 'serial: SB'), replaced('barclamps/db/run.sh', 'run', 'run better'),
].map((edit) => compiled(edit, lock).plan)

/** What may become of a ledger's branch, but for what leaves no trace: a file of a node that never was, or another good one. */
const DAMAGES: readonly ((files: Files, path: string, at: number) => Files)[] = [
  // Whatever is not a node is lost.
  (files, path) => (path.startsWith('nodes/') ? files : new Map([...files].filter(([one]) => one !== path))),
  (files) => new Map([...files].filter(([one]) => !one.startsWith('values/'))),
  (files) => new Map([...files].filter(([one]) => !one.startsWith('content/'))),
  (files) => new Map([...files].filter(([one]) => !one.startsWith('machines/'))),
  // Half written, with something behind it, or not text.
  (files, path, at) => new Map(files).set(path, (files.get(path) ?? '').slice(0, at % ((files.get(path) ?? '').length || 1))),
  (files, path) => new Map(files).set(path, `${files.get(path) ?? ''}}`),
  (files, path) => new Map(files).set(path, '\u0000\ufffd'),
  (files, path, at) => new Map(files).set(path, ['null', '[]', '{}', '7', '"x"', '{"version":9}', '{"version":0}', '{"__proto__":{}}'][at % 8] ?? ''),
  // What stands for one file is in another one.
  (files, path, at) => new Map(files).set(path, [...files.values()][at % files.size] ?? ''),
  // One character of what is no node is another one.
  (files, path, at) => {
    const text = files.get(path) ?? ''
    const index = at % (text.length || 1)
    return path.startsWith('nodes/') ? files : new Map(files).set(path, `${text.slice(0, index)}${text[index] === '0' ? '1' : '0'}${text.slice(index + 1)}`)
  },
  // An entry under another name than its own; a node a second time, as a rename that was half kept would leave it.
  (files, path, at) => new Map(files).set(path, (files.get(path) ?? '').replace(new RegExp(`"[a-z]+/[a-z]+@[a-z0-9]+":(?=\\{)`), `"app/x${at}@n1":`)),
  (files, path, at) => (path.startsWith('nodes/n') ? new Map(files).set(`nodes/copy${at % 3}.json`, (files.get(path) ?? '').replace(/"node":"[a-z0-9]+"(?=[^{}]*\n)/, `"node":"copy${at % 3}"`)) : files),
  // Files of nobody.
  (files, _path, at) => new Map(files).set(`notes/${at}.txt`, 'x').set('nodes/deep/er.json', '{'),
]

/** Steps of the changes that are classed lower in others, where their node is not installed anew. */
function lowered(before: Changes, after: Changes): readonly string[] {
  const now = new Map(after.changes.map((one) => [one.step.id, one]))
  const anew = (node: string | null): boolean => ['wipe', 'reinstall'].includes(now.get(`install@${node ?? ''}`)?.consequence ?? 'none')
  return before.changes.flatMap(({ step, consequence }) => {
    const one = now.get(step.id)
    const low = one === undefined ? consequence !== 'none' : CONSEQUENCES.indexOf(one.consequence) > CONSEQUENCES.indexOf(consequence)
    return low && !anew(step.node) ? [`${step.id}: ${consequence}, then ${one?.consequence ?? 'nothing'}`] : []
  })
}

it('a damaged ledger is refused, or nothing is classed lower than with the whole one', () => {
  let read = 0
  let refused = 0
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(LEDGERS)), fc.nat(PLANS.length - 1), fc.array(fc.record({ damage: fc.nat(DAMAGES.length - 1), path: fc.nat(), at: fc.nat(5000) }), { minLength: 1, maxLength: 3 }), (state, number, damages) => {
      const [ledger, plan] = [LEDGERS[state], PLANS[number]]
      if (ledger === undefined || plan === undefined) throw new Error('no such ledger or plan')
      let files: Files = writeLedger(ledger)
      const good = readLedger(files)
      if (!good.ok) throw new Error('the ledger under test is damaged')
      for (const { damage, path, at } of damages) files = DAMAGES[damage]?.(files, [...files.keys()][path % files.size] ?? '', at) ?? files
      const damaged = readLedger(files)
      if (!damaged.ok) {
        refused++
        expect(damaged.problems.every((problem) => files.has(problem.path) && problem.message !== '')).toBe(true)
        return
      }
      read++
      expect(lowered(change(good.ledger, plan), change(damaged.ledger, plan))).toStrictEqual([])
    }),
    { numRuns: 300, seed: 11 },
  )
  expect(Math.min(read, refused)).toBeGreaterThan(50)
}, 60_000)

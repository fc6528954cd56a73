import { expect, test } from 'vitest'
import { printReport } from '../../../agent/cli/rehearse.ts'
import type { RehearsalReport } from '../../../agent/rack/rack-order.ts'

const step = { id: 'hello/server@web', node: 'web', state: 'succeeded', seconds: 12, attempts: 1, reason: null, lastWords: [] }
const report: RehearsalReport = {
  outcome: 'complete', seconds: 300, accelerator: 'tcg', commit: 'abc', nodes: [{ name: 'web', os: 'debian-12', address: '192.0.2.81', machine: 'm-1' }], steps: [step],
  disturbances: [], canaries: [{ machine: 'm2', serial: 'D1', unchanged: true }], secondApply: 'nothing to do', standIns: [], reported: { 'hello/check@web': { seen: 'Hello' } }, problems: [],
}

test('the report of a good rehearsal fits a terminal and ends with where everything is', () => {
  const text = printReport(report, { seconds: 310, out: '/srv/out' })
  expect(text).toBe(`
NODE  OS         ADDRESS     MACHINE
web   debian-12  192.0.2.81  m-1

STEP              STATE      SECONDS
hello/server@web  succeeded  12

hello/check@web reported seen "Hello"
disk D1 of m2: byte for byte as it was
second apply: nothing to do

complete in 05:10, 05:00 of it in the rack (QEMU, tcg)
Event log, plan, changes, consoles:     /srv/out
Site with inventory, lock and ledger:   /srv/out/site.git
What a commit there would change:       crowbar diff --site /srv/out/site.git
`)
})

test('what failed says its last words; what was tried again, and what went wrong on purpose, is counted', () => {
  const text = printReport({
    ...report, outcome: 'failed', accelerator: null, secondApply: null, canaries: [{ machine: 'm2', serial: 'D1', unchanged: false }],
    steps: [{ ...step, state: 'failed', attempts: 2, reason: 'run.sh ended with exit code 2', lastWords: ['cannot open x'] }, { ...step, id: 'discover@web', attempts: 0 }],
    disturbances: [{ text: 'kill-agent@hello/server@web', seconds: 4, during: 'running' }, { text: 'power-cut:m1@discover@web', seconds: null, during: null }],
    standIns: ['db/root (4-aa)'],
    problems: ['the disturbance power-cut:m1@discover@web never came: its step was not sent'],
  }, { seconds: 310, out: '/srv/out' })
  expect(text).toContain('hello/server@web  failed     12       2\n')
  expect(text).toContain('discover@web      succeeded  12       -\n')
  expect(text).toContain('hello/server@web failed: run.sh ended with exit code 2\n    cannot open x\n')
  expect(text).toContain('made-up values stood for the secret db/root (4-aa)\n')
  expect(text).toContain('disk D1 of m2: CHANGED\n')
  expect(text).toContain('disturbance kill-agent@hello/server@web: after 4 s, while the step ran\n')
  expect(text).toContain('PROBLEM: the disturbance power-cut:m1@discover@web never came')
  expect(text).toContain('failed in 05:10, 05:00 of it in the rack (containers)\n')
})

import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { diffText } from '../../../compiler/print/diff-text.ts'
import { refusalOf } from '../../../schemas/refusal.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import { applied, folded, wasSent } from '../../builders/ledger.ts'
import { compiled, lockFile, machine, stepOf } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

/** A node on a mirror of two disks, with a disk beside it that is kept. */
const NODE = 'kind: node\nname: a\nos: debian-12\nmachine: { serial: S }\nhardware: h\n'
const HARDWARE = 'kind: hardware\nname: h\ndisks:\n  system: { choose: { count: 2, rotational: false }, raid: 1, onInstall: wipe }\n  data: { choose: { rotational: true }, onInstall: keep }\n'
const ROLE = 'kind: barclamp\nname: web\nversion: 1.0.0\nattributes: { type: object, properties: { port: { type: integer, default: 80 } } }\nroles: { web: { jig: script, run: web.sh, onChange: { default: restart } } }\n'
const SITE: Texts = { 'a.yaml': NODE, 'h.yaml': HARDWARE, 'barclamps/web/barclamp.yaml': ROLE, 'barclamps/web/web.sh': '#!/bin/sh\n', 'd.yaml': 'kind: deployment\nname: d\nroles: { web: { nodes: [a] } }\n' }
const DISKS = [{ serial: 'A' }, { serial: 'B' }, { serial: 'K', rotational: true }]
const seen = (...serials: string[]): Texts => machine('m1', { serial: 'S', disks: [...DISKS, { serial: 'X' }].filter(({ serial }) => serials.includes(serial)) })
const whole = compiled({ ...SITE, ...seen('A', 'B', 'K') })
const LOOKS = [{ id: 'm1', seen: '2026-03-01T09:00:00.000Z', disks: ['A', 'B', 'K'].map((serial) => ({ id: `serial:${serial}`, serial, model: 'disk', bytes: 4 * 1024 ** 3, blank: false, signature: serial, summary: 'gpt: raid', stamp: null })) }]
const done = applied(whole.plan, { machines: LOOKS })
const raised = { ...whole.lock, nodes: { ...whole.lock.nodes, a: { index: 0, ...whole.lock.nodes['a'], generation: 1 } } }

interface Row {
  readonly what: string
  readonly to?: Texts
  readonly disks?: readonly string[]
  readonly lock?: typeof whole.lock
  readonly onto?: Ledger
  readonly gives: readonly string[]
}

const ERASE = { 'gone.yaml': 'kind: operation\nname: gone\ndo: [drain, erase]\nnodes: [a]\n' }
const AGAIN = { 'again.yaml': 'kind: operation\nname: again\ndo: [drain, reinstall, resume]\nnodes: [a]\n' }
const PORT = { 'd.yaml': 'kind: deployment\nname: d\nroles: { web: { nodes: [a], attributes: { web: { port: 81 } } } }\n' }
const ROWS: readonly Row[] = [
  { what: 'one half is missing', gives: [] },
  { what: 'the other half is missing', disks: ['B', 'K'], gives: [] },
  { what: 'the kept disk is missing', disks: ['A', 'B'], gives: [] },
  { what: 'one half is missing, and a disk came that nobody named', disks: ['A', 'X', 'K'], gives: [] },
  { what: 'one half is missing, and an attribute is edited', to: PORT, gives: ['restart d/web@a'] },
  { what: 'one half is missing, and the node restarts', to: { 'op.yaml': 'kind: operation\nname: kernel\ndo: [reboot]\nnodes: [a]\n' }, gives: ['reboot operation/kernel/reboot@a'] },
  { what: 'one half is missing, and the os is another one', to: { 'a.yaml': NODE.replace('debian-12', 'debian-13') }, gives: ['wipe install@a (refused: serial:B)', 'run d/web@a'] },
  { what: 'one half is missing, and it is to be installed again', lock: raised, gives: ['wipe install@a (refused: serial:B)', 'run d/web@a'] },
  { what: 'one half is missing, and an operation installs it again', to: AGAIN, lock: raised, gives: ['wipe install@a (refused: serial:B)', 'run d/web@a', 'run operation/again/drain@a', 'reinstall operation/again/reinstall@a', 'run operation/again/resume@a'] },
  { what: 'one half is missing, and its disks are to be erased', to: ERASE, gives: ['run operation/gone/drain@a', 'wipe operation/gone/erase@a (refused: serial:B)'] },
  { what: 'the kept disk is missing, and it is to be installed again', disks: ['A', 'B'], lock: raised, gives: ['wipe install@a', 'run d/web@a'] },
  { what: 'one half is missing, and nothing ran yet', onto: folded(applied(whole.plan, { machines: LOOKS, only: () => false }), []), gives: ['wipe install@a (refused: serial:B)', 'run d/web@a'] },
  { what: 'one half is missing, and the installation did not succeed', onto: folded(done, [wasSent(stepOf(whole.plan, 'install@a'), whole.plan)]), gives: ['wipe install@a (refused: serial:B)', 'run d/web@a'] },
  { what: 'both halves are missing', disks: ['K'], gives: ['may wipe install@a (refused: serial:A, serial:B)', 'run d/web@a'] },
  { what: 'another disk was chosen for the half that is missing', disks: ['A', 'X', 'K'], lock: { ...whole.lock, disks: { ...whole.lock.disks, 'a/system': ['serial:A', 'serial:X'] } }, gives: ['may wipe install@a', 'run d/web@a'] },
  { what: 'one half is missing under a lock that has ids alone', lock: { ...whole.lock, disks: { ...whole.lock.disks, 'a/system': ['serial:A', 'serial:B'] } }, gives: ['may wipe install@a (refused: serial:B)', 'run d/web@a'] },
]

describe('a node on a mirror', () => {
  const changesOf = ({ to = {}, disks = ['A', 'K'], lock = whole.lock, onto = done }: Omit<Row, 'what' | 'gives'>) => {
    const { plan } = compiled({ ...SITE, ...to, ...seen(...disks), ...lockFile(lock) })
    return { plan, changes: change(onto, plan) }
  }

  it.each(ROWS)('of which $what', ({ gives, ...row }) => {
    const { changes } = changesOf(row)
    const lines = changes.changes.filter(({ consequence }) => consequence !== 'none').map(({ step, consequence, certain, lacks }) => `${certain ? '' : 'may '}${consequence} ${step.id}${lacks === undefined ? '' : ` (refused: ${lacks.join(', ')})`}`)
    expect(lines.toSorted()).toEqual([...gives].toSorted())
  })

  it('is told why it is not installed again, and what helps', () => {
    const { changes, plan } = changesOf({ lock: raised })
    const install = changes.changes.find(({ step }) => step.id === 'install@a')
    expect(install === undefined ? null : refusalOf(install)).toBe('serial:B of a is not in its machine any more: put it back, or let `crowbar lock --rebind a:disks` choose another')
    const text = diffText(changes, plan)
    expect(text).toMatch(/WIPE +1 node .*REFUSED/)
    expect(text).toContain('refused   not in the machine any more: serial:B of a\n')
    expect(text.replaceAll(/\s+/g, ' ')).toContain('a stays as it is: a disk is missing; put it back, or let `crowbar lock --rebind NODE:disks` choose another one.')
    expect(text).not.toContain('--approve')
  })
})

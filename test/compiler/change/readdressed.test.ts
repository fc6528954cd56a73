import { describe, expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { placesOf } from '../../../compiler/cli/places.ts'
import { diffMarkdown } from '../../../compiler/print/diff-markdown.ts'
import { diffText } from '../../../compiler/print/diff-text.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import { applied } from '../../builders/ledger.ts'
import { compiled, lockFile, machine, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const NODE = (more: string, os = 'debian-12'): Texts => ({ 'n.yaml': `kind: node\nname: a\nos: ${os}\nmachine: { serial: serial-m1 }\n${more}` })
const ADDRESS = (address: string): Texts => NODE(`networks: { admin: { address: ${address} } }\n`)
const FIRST = { ...ADDRESS('10.0.0.60'), ...machine('m1') }
const first = compiled(FIRST)
const ledger = applied(first.plan)

function diff(edit: Texts, base = ledger): { readonly changes: Changes; readonly plan: typeof first.plan } {
  const edited = compiled({ ...FIRST, ...lockFile(first.lock), ...edit })
  return { changes: change(base, edited.plan, { at: placesOf(edited) }), plan: edited.plan }
}

describe('the addresses of an installed node', () => {
  test('cannot be changed: it is refused, with the place, and nothing is said to be done', () => {
    const { changes, plan } = diff(ADDRESS('10.0.0.61'))
    expect(changes.changes).toStrictEqual([])
    expect(changes.violations).toMatchObject([{ policy: 'addresses', level: 'deny', message: expect.stringContaining('on admin from 10.0.0.60/24 to 10.0.0.61/24'), at: 'n.yaml:5:11' }])
    expect(diffText(changes, plan)).toContain('Nothing runs: it is refused.')
    expect(diffText(changes, plan)).not.toContain('Nothing to do')
    expect(diffMarkdown(changes, plan)).toContain('it is refused')
  })

  test.each<[string, Texts]>([
    ['another range is asked for', NODE('networks: { admin: { range: vip } }\n')],
    ['the network moved', { 'site.yaml': SITE.replaceAll('10.0.0.', '10.7.0.'), ...NODE('') }],
    ['a network is added', { ...NODE('networks: { admin: { address: 10.0.0.60 }, two: {} }\n'), 'two.yaml': 'kind: network\nname: two\nsubnets: [{ cidr: 10.2.0.0/24, ranges: { host: 10.2.0.5-10.2.0.9 } }]\n' }],
  ])('are not changed in silence either when %s', (_, edit) => {
    expect(diff(edit).changes.violations.map(({ level }) => level)).toStrictEqual(['deny'])
  })

  test('may change when it is not installed, is installed again, or has set up its network itself', () => {
    expect(diff(ADDRESS('10.0.0.61'), EMPTY_LEDGER).changes.violations).toStrictEqual([])
    const again = { ...first.lock, nodes: { ...first.lock.nodes, a: { index: 0, generation: 1 } } }
    expect(diff({ ...ADDRESS('10.0.0.61'), ...lockFile(again) }).changes).toMatchObject({ violations: [], changes: [{ step: { id: 'install@a' } }] })
    const joined = (address: string): Texts => ({ ...NODE(`networks: { admin: { address: ${address} } }\n---\nkind: os\nname: here\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: joined\n`, 'here'), ...machine('m1') })
    const there = compiled(joined('10.0.0.60'))
    expect(change(applied(there.plan), compiled({ ...joined('10.0.0.61'), ...lockFile(there.lock) }).plan).violations).toStrictEqual([])
  })

  test('stand where nothing changed; what else changes of its network is warned of', () => {
    expect(diff({}).changes.violations).toStrictEqual([])
    expect(diff({ 'site.yaml': SITE.replace('    gateway: 10.0.0.1\n', '') }).changes.violations).toMatchObject([{ policy: 'network', level: 'warn' }])
  })

  test('are one thing to say when a network of many nodes is changed', () => {
    const many = (gateway: string, cidr = '10.0.0'): Texts => ({ 'site.yaml': SITE.replace('gateway: 10.0.0.1\n', `gateway: 10.0.0.${gateway}\n`).replaceAll('10.0.0.', `${cidr}.`), 'n.yaml': 'kind: nodes\nname: "c-[1-9]"\nos: debian-12\nmachine: { where: "true" }\n', ...Object.assign({}, ...Array.from({ length: 9 }, (_, i) => machine(`m${i}`, { macs: [`52:54:00:00:01:0${i}`] }))) as Texts })
    const there = compiled(many('1'))
    const said = (texts: Texts): readonly string[] => change(applied(there.plan), compiled({ ...texts, ...lockFile(there.lock) }).plan).violations.map(({ level, message }) => `${level} ${message}`)
    expect(said(many('9'))).toStrictEqual(['warn the network of c-[1-9], which are installed, is not changed yet: it stays as it was written, until they are installed again.'])
    expect(said(many('1', '10.7.0'))).toStrictEqual([expect.stringMatching(/^deny the addresses of c-\[1-9\], which are installed, cannot be changed yet \(of c-1 on admin from 10\.0\.0\.\d+\/24 to 10\.7\.0\.\d+\/24, and so on\)/)])
  })
})

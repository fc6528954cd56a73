import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import type { MachineState } from '../../../schemas/inventory.ts'
import { applied } from '../../builders/ledger.ts'
import { compiled, lockFile, machine } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const NAMES = ['v1', 'v2']
/** Two machines with a disk of their own, and one that both show. */
const seen = (wwn: string): Texts => Object.assign({}, ...NAMES.map((name, index) => {
  const [path, text] = Object.entries(machine(name, { serial: name, macs: [`52:54:00:00:00:0${index}`], disks: [{ serial: `own-${name}` }, { serial: 'shared', bytes: 9_000_000_000 }] }))[0] as [string, string]
  return { [path]: text.replace('"serial":"shared","wwn":""', `"serial":"shared","wwn":"${wwn}"`) }
})) as Texts
const hardware = (name: string, shared: string): string => `kind: hardware\nname: ${name}\ndisks:\n  system: { choose: { maxBytes: 5000000000 }, onInstall: wipe }\n  shared: { choose: { serial: shared }, onInstall: ${shared} }\n`
const site = (wwn: string, fates: readonly [string, string]): Texts => ({
  ...seen(wwn),
  'h.yaml': `${hardware('v1', fates[0])}---\n${hardware('v2', fates[1])}`,
  'n.yaml': NAMES.map((name) => `kind: node\nname: ${name}\nos: debian-12\nhardware: ${name}\nmachine: { serial: ${name} }\n`).join('---\n'),
})
const states = (wwn: string): readonly MachineState[] => NAMES.map((id) => ({
  id, seen: '2026-03-01T09:00:00.000Z',
  disks: [[`serial:own-${id}`, `own-${id}`, 4_294_967_296], [wwn === '' ? 'serial:shared' : `wwn:${wwn}`, 'shared', 9_000_000_000]].map(([disk, serial, bytes]) => ({ id: String(disk), serial: String(serial), model: 'disk', bytes: Number(bytes), blank: false, signature: 'x', summary: 'lvm', stamp: null })),
}))

const KEPT = ['keep', 'keep'] as const
const before = compiled(site('0x5', KEPT))
const found = (fates: readonly [string, string], wwn = '0x5'): readonly string[] => {
  const first = wwn === '0x5' ? before : compiled(site(wwn, KEPT))
  const { plan } = compiled({ ...site(wwn, fates), ...lockFile(first.lock) })
  return change(applied(first.plan, { machines: states(wwn) }), plan).violations.map(({ policy, level, message, at }) => `${policy} ${level} ${at} ${message}`)
}

describe('a disk that the machines of two nodes show', () => {
  it('is nobody\'s concern while nobody writes it', () => {
    expect(found(KEPT)).toEqual([])
  })

  it('is told of when one node writes what the other keeps', () => {
    expect(found(['wipe', 'keep'])).toEqual(['disks warn n.yaml:2:7 v1 writes wwn:0x5, which the machine of v2 shows, too: if it is one disk, what is on it is theirs as well.'])
    expect(found(['keep', 'wipe'])).toHaveLength(1)
  })

  it('is refused when both are to be installed on it, also when one of them is already', () => {
    const refused = ['disks deny n.yaml:2:7 v[1-2] are to be installed on one disk (wwn:0x5), which each of their machines shows: let all but one of them keep it.']
    expect(found(['wipe', 'wipe'])).toEqual(refused)
    const one = compiled({ ...site('0x5', ['wipe', 'keep']), ...lockFile(before.lock) })
    const { plan } = compiled({ ...site('0x5', ['wipe', 'wipe']), ...lockFile(one.lock) })
    expect(change(applied(one.plan, { machines: states('0x5') }), plan).violations.map(({ level }) => level)).toEqual(['deny'])
  })

  it('is only told of when nothing but its serial number says so', () => {
    expect(found(['wipe', 'wipe'], '').map((one) => one.slice(0, 10))).toEqual(['disks warn'])
  })
})

import { describe, expect, test } from 'vitest'
import { codes, compileTexts, compiled, documentOf, lacks, lockFile, machine, stepOf } from '../compiling.ts'
import type { MachineWish, Texts } from '../compiling.ts'
import fc from '../../property.ts'

const NODE = 'kind: node\nname: a\nos: debian-12\nmachine: { serial: S }\n'
const HARDWARE = 'kind: hardware\nname: h\ndisks:\n  system: { choose: { rotational: false, minBytes: 100 }, onInstall: wipe }\n  data: { choose: {}, onInstall: keep }\n'

describe('disks', () => {
  test('the only disk of a machine is the system disk', () => {
    const { plan } = compiled({ 'a.yaml': NODE, ...machine('m1', { serial: 'S', disks: [{ serial: 'D', bytes: 7 }] }) })
    expect(documentOf(plan, 'install@a')['install']).toMatchObject({ method: 'image', machine: 'm1', targets: [{ entry: 'system', id: 'serial:D', serial: 'D', bytes: 7 }], layout: [{ on: 'system', mount: '/', fs: 'ext4', size: 'rest' }], firmware: 'bios', rootfs: 'rootfs-debian-12' })
  })

  test('which of several disks is the system disk is never guessed', () => {
    const result = compileTexts({ 'a.yaml': NODE, ...machine('m1', { serial: 'S', disks: [{ serial: 'D1' }, { serial: 'D2' }] }) })
    expect(codes(result)).toEqual(['HARDWARE_UNDECLARED a.yaml:2:7'])
    expect(result.diagnostics[0]?.detail).toBe('Its disks: virtio disk serial D1, 4294967296 bytes; virtio disk serial D2, 4294967296 bytes.')
  })

  test('a hardware document chooses, in its order, and a kept disk is no target', () => {
    const disks = [{ serial: 'R', rotational: true, bytes: 1000 }, { serial: 'S', bytes: 50 }, { serial: 'B', bytes: 500 }]
    const { plan } = compiled({ 'a.yaml': `${NODE}hardware: h\n`, 'h.yaml': HARDWARE, ...machine('m1', { serial: 'S', disks }) })
    expect(documentOf(plan, 'install@a')['install']).toMatchObject({ targets: [{ entry: 'system', serial: 'B' }] })
  })

  test('too few disks that match are an error that names those there are', () => {
    const result = compileTexts({ 'a.yaml': `${NODE}hardware: h\n`, 'h.yaml': HARDWARE, ...machine('m1', { serial: 'S', disks: [{ serial: 'X', bytes: 5 }] }) })
    expect(codes(result)).toEqual(['DISKS_TOO_FEW h.yaml:4:21'])
    expect(result.diagnostics[0]?.detail).toContain('serial X, 5 bytes')
  })

  test('one mistake of a document that many machines share is told once, and each lost disk by itself', () => {
    const nodes = 'kind: nodes\nname: "a[1-3]"\nos: debian-12\nmachine: { where: "true" }\nhardware: h\n'
    const seen = (serial: string) => Object.assign({}, ...['1', '2', '3'].map((id) => machine(`m${id}`, { disks: [{ serial: `${serial}${id}`, bytes: 5 }] }))) as Texts
    expect(codes(compileTexts({ 'a.yaml': nodes, 'h.yaml': HARDWARE, ...seen('X') }))).toEqual(['DISKS_TOO_FEW h.yaml:4:21'])
    const only = HARDWARE.replace('minBytes: 100', 'minBytes: 1').replace('  data: { choose: {}, onInstall: keep }\n', '')
    const { lock } = compiled({ 'a.yaml': nodes, 'h.yaml': only, ...seen('X') })
    expect(codes(compiled({ 'a.yaml': nodes, 'h.yaml': only, ...seen('Y'), ...lockFile(lock) }))).toEqual(['DISK_MISSING a.yaml:5:11', 'DISK_MISSING a.yaml:5:11', 'DISK_MISSING a.yaml:5:11'])
  })

  test('the once-key of an install changes with machine, os, disks, layout and generation, and with nothing else', () => {
    const seen = machine('m1', { serial: 'S', disks: [{ serial: 'D' }] })
    const once = (files: Readonly<Record<string, string>>) => stepOf(compiled({ 'a.yaml': NODE, ...seen, ...files }).plan, 'install@a').once
    const base = once({})
    expect(base).toMatch(/^sha256:/)
    expect(once({ 'a.yaml': `${NODE}labels: { x: y }\nattributes: {}\n` })).toBe(base)
    expect(once({ 'a.yaml': NODE.replace('debian-12', 'debian-13') })).not.toBe(base)
    expect(once(machine('m1', { serial: 'S', disks: [{ serial: 'E' }] }))).not.toBe(base)
    expect(once({ 'a.yaml': `${NODE}hardware: h\n`, 'h.yaml': `${HARDWARE.replace('  data: { choose: {}, onInstall: keep }\n', '')}layout: [{ on: system, mount: /, size: 50% }]\n` })).not.toBe(base)
  })

  test('a joined node writes no disk and is not destructive', () => {
    const os = 'kind: os\nname: there\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: joined\n'
    const { plan } = compiled({ 'a.yaml': NODE.replace('debian-12', 'there'), 'o.yaml': os, ...machine('m1', { serial: 'S', disks: [{ serial: '1' }, { serial: '2' }] }) })
    expect(stepOf(plan, 'install@a')).toMatchObject({ destructive: false, artifacts: [], needs: [{ step: 'discover@a' }] })
    expect(documentOf(plan, 'install@a')['install']).toMatchObject({ method: 'joined', rootfs: null, targets: [] })
  })
})

describe('chosen disks', () => {
  const HARD = 'kind: hardware\nname: h\ndisks:\n  system: { choose: { rotational: false }, onInstall: wipe }\n  logs: { choose: {}, onInstall: wipe }\n  data: { choose: { rotational: true }, onInstall: keep }\n'
  const site = (disks: MachineWish['disks'], hard = HARD): Texts => ({ 'a.yaml': `${NODE}hardware: h\n`, 'h.yaml': hard, ...machine('m1', { serial: 'S', disks: disks ?? [] }) })
  const targets = (files: Texts) => (documentOf(compiled(files).plan, 'install@a')['install'] as unknown as { targets: { entry: string; serial: string }[] }).targets.map(({ entry, serial }) => `${entry} ${serial}`)
  const R = { serial: 'R', rotational: true }
  const first = compiled(site([{ serial: 'B' }, { serial: 'C' }, R]))

  test('stay chosen when another one comes that would have been chosen first', () => {
    expect(first.lock.disks).toEqual({ 'a/system': ['serial:B'], 'a/logs': ['serial:C'], 'a/data': ['serial:R'] })
    const more = site([{ serial: 'A' }, { serial: 'Q', rotational: true }, { serial: 'C' }, R, { serial: 'B' }])
    expect(targets(more)).toEqual(['system A', 'logs Q'])
    expect(targets({ ...more, ...lockFile(first.lock) })).toEqual(['system B', 'logs C'])
    const alone = compiled({ 'a.yaml': NODE, ...machine('m1', { serial: 'S', disks: [{ serial: 'D' }] }) })
    expect(targets({ 'a.yaml': NODE, ...machine('m1', { serial: 'S', disks: [{ serial: 'A' }, { serial: 'D' }] }), ...lockFile(alone.lock) })).toEqual(['system D'])
  })

  test('that went away are missed by name, and no other one stands in', () => {
    const result = compiled({ ...site([{ serial: 'A' }, { serial: 'C' }, R]), ...lockFile(first.lock) })
    expect(lacks(result.plan)).toEqual([{ what: 'disk', for: 'node/a', because: 'disk serial:B, which a has as system, is not in machine m1 any more', disk: 'serial:B' }])
    expect(codes(result)).toEqual(['DISK_MISSING a.yaml:5:11'])
    expect(stepOf(result.plan, 'install@a')).toMatchObject({ attributes: null, once: null })
    expect(result.lock.disks).toEqual(first.lock.disks)
    const kept = compiled({ ...site([{ serial: 'B' }, { serial: 'C' }]), ...lockFile(first.lock) })
    expect([codes(kept), stepOf(kept.plan, 'install@a').once]).toEqual([['DISK_MISSING a.yaml:5:11'], stepOf(first.plan, 'install@a').once])
    const only = compiled({ 'a.yaml': NODE, ...machine('m1', { serial: 'S', disks: [{ serial: 'D' }] }) })
    expect(codes(compiled({ 'a.yaml': NODE, ...machine('m1', { serial: 'S', disks: [{ serial: 'E' }] }), ...lockFile(only.lock) }))).toEqual(['DISK_MISSING a.yaml:2:7'])
  })

  test.each<[string, readonly string[], boolean]>([
    ['raid: 1', ['A'], true], ['raid: 1', ['B'], true], ['raid: 1', ['A', 'B'], false], ['raid: 0', ['A'], false],
    ['raid: 5, three', ['B'], true], ['raid: 5, three', ['A', 'C'], false], ['raid: 6, four', ['A', 'C'], true], ['raid: 6, four', ['A', 'B', 'C'], false], ['raid: 10, four', ['D'], true], ['raid: 10, four', ['A', 'B'], false],
  ])('of an array of %s without %j stay targets as long as it goes on: %j', (form, gone, goesOn) => {
    const [raid = '', count = 'two'] = form.split(', ')
    const all = ['A', 'B', 'C', 'D'].slice(0, { two: 2, three: 3, four: 4 }[count])
    const hard = `kind: hardware\nname: h\ndisks:\n  system: { choose: { serial: S }, onInstall: wipe }\n  data: { choose: { count: ${all.length}, rotational: true }, ${raid}, onInstall: wipe }\nlayout: [{ on: system, mount: /, size: rest }, { on: data, mount: /srv, size: rest }]\n`
    const disk = (serial: string) => ({ serial, rotational: serial !== 'S', bytes: 5_000_000_000 })
    const whole = compiled(site(['S', ...all].map(disk), hard))
    const left = compiled({ ...site(['S', ...all.filter((serial) => !gone.includes(serial)), 'X'].map(disk), hard), ...lockFile(whole.lock) })
    expect(left.lock.disks).toEqual(whole.lock.disks)
    expect(stepOf(left.plan, 'install@a').once).toBe(goesOn ? stepOf(whole.plan, 'install@a').once : null)
    expect(lacks(left.plan).map(({ disk: id }) => id)).toEqual(gone.map((serial) => `serial:${serial}`))
    expect(codes(left)).toEqual(gone.map(() => 'DISK_MISSING a.yaml:5:11'))
    // A lock that has ids alone does not know what is gone, and learns of what is there.
    const ids = { ...whole.lock, disks: { 'a/system': ['serial:S'], 'a/data': all.map((serial) => `serial:${serial}`) } }
    expect(stepOf(compiled({ ...site(['S', ...all.filter((serial) => !gone.includes(serial))].map(disk), hard), ...lockFile(ids) }).plan, 'install@a').once).toBeNull()
    expect(compiled({ ...site(['S', ...all].map(disk), hard), ...lockFile(ids) }).lock.disks).toEqual(whole.lock.disks)
  })

  test('are chosen anew when the document means another one, or the node has another machine', () => {
    const edited = HARD.replace('{ rotational: false }', '{ serial: A }')
    expect(targets({ ...site([{ serial: 'A' }, { serial: 'B' }, { serial: 'C' }, R], edited), ...lockFile(first.lock) })).toEqual(['system A', 'logs C'])
    const elsewhere = { ...site([]), ...machine('m2', { serial: 'S', disks: [{ serial: 'X' }, { serial: 'Y' }, { serial: 'Z', rotational: true }] }), 'inventory/m1.json': JSON.stringify({ kind: 'machine', id: 'm1', facts: JSON.parse(machine('m1', { serial: 'other' })['inventory/m1.json'] ?? '').facts }) }
    expect(targets({ ...elsewhere, ...lockFile(first.lock) })).toEqual(['system X', 'logs Y'])
  })

  test('come along with a node that has a new name, and two lines for one disk are a conflict', () => {
    const moved = { ...site([{ serial: 'A' }, { serial: 'B' }, { serial: 'C' }, R]), 'a.yaml': `${NODE.replace('name: a', 'name: z')}moved: { from: a }\nhardware: h\n`, ...lockFile(first.lock) }
    expect(compiled(moved).lock.disks).toEqual({ 'z/system': ['serial:B'], 'z/logs': ['serial:C'], 'z/data': ['serial:R'] })
    const twice = { ...first.lock, disks: { ...first.lock.disks, 'a/logs': ['serial:B'] } }
    expect(codes(compileTexts({ ...site([{ serial: 'B' }, { serial: 'C' }, R]), ...lockFile(twice) })).map((code) => code.split(' ')[0])).toEqual(['LOCK_CONFLICT'])
  })

  test('never move, whatever disks come', () => {
    const name = fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('A', 'C', 'X', 'Z', '0', '9') })
    const disk = fc.record({ serial: name, rotational: fc.boolean(), bytes: fc.constantFrom(10, 1000, 100_000) })
    const shelf = fc.uniqueArray(disk, { selector: ({ serial }) => serial, maxLength: 6 })
    const must = [{ serial: 'S1' }, { serial: 'S2' }, { serial: 'R1', rotational: true }]
    fc.assert(
      fc.property(shelf, shelf, (before, more) => {
        const old = compiled(site([...before, ...must]))
        const come = more.filter(({ serial }) => !before.some((each) => each.serial === serial))
        const now = compiled({ ...site([...come, ...must, ...before]), ...lockFile(old.lock) })
        expect(now.lock.disks).toEqual(old.lock.disks)
        expect(stepOf(now.plan, 'install@a').once).toBe(stepOf(old.plan, 'install@a').once)
      }),
      { numRuns: 30 },
    )
  })
})

describe('ports', () => {
  const site = (ports: string) => ({ 'a.yaml': NODE + 'networks: { s: {} }\n', 'n.yaml': `kind: network\nname: s\nconduit: c\n---\nkind: conduit\nname: c\nports:\n${ports}` })
  const seen = machine('m1', { serial: 'S', macs: ['52:54:00:00:00:09', '52:54:00:00:00:02', '52:54:00:00:00:03'] })
  const ports = (files: Readonly<Record<string, string>>) => compiled({ ...files, ...seen }).plan.nodes['a']?.attachments.map((each) => each.ports)

  test('an index counts in bus order, after the other selectors', () => {
    expect(ports(site('  - { use: [{ index: 1 }] }\n'))).toEqual([['52:54:00:00:00:09'], ['52:54:00:00:00:02']])
    expect(ports(site('  - { use: [{ index: 1, speed: 10g+ }] }\n'))?.[1]).toEqual(['52:54:00:00:00:03'])
    expect(ports(site('  - { use: [{ bus: "0000:00:12" }] }\n'))?.[1]).toEqual(['52:54:00:00:00:03'])
  })

  test('the first entry whose condition is met is taken, and several ports are a bond', () => {
    expect(ports(site('  - { when: machine.dmi.product == "No", use: [{ index: 2 }] }\n  - { use: [{ index: 1 }, { index: 2 }], bond: { mode: active-backup } }\n'))?.[1]).toEqual(['52:54:00:00:00:02', '52:54:00:00:00:03'])
  })

  test('a port that is not there is an error in the conduit', () => {
    expect(codes(compileTexts({ ...site('  - { use: [{ index: 7 }] }\n'), ...seen }))).toEqual(['PORT_MISSING n.yaml:8:13'])
  })
})

import { describe, expect, test } from 'vitest'
import { codes, compiled, compileTexts, documentOf, machine, stepOf } from '../compiling.ts'

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
    expect(ports(site('  - { when: machine.dmi.product == "No", use: [{ index: 2 }] }\n  - { use: [{ index: 0 }, { index: 1 }], bond: { mode: active-backup } }\n'))?.[1]).toEqual(['52:54:00:00:00:09', '52:54:00:00:00:02'])
  })

  test('a port that is not there is an error in the conduit', () => {
    expect(codes(compileTexts({ ...site('  - { use: [{ index: 7 }] }\n'), ...seen }))).toEqual(['PORT_MISSING n.yaml:8:13'])
  })
})

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { needDebianPackages } from '../debian-packages.ts'
import { BootLink } from './boot-link.ts'
import type { BootInterfaceSetup } from './boot-server-process.ts'

const mac = '52:54:00:aa:00:01'

const eth1: BootInterfaceSetup = {
  name: 'eth1',
  address: '192.168.124.10',
  mode: 'server',
  subnet: {
    name: 'admin',
    cidr: '192.168.124.0/24',
    pools: [{ from: '192.168.124.21', to: '192.168.124.80' }],
    reservations: [],
    gateway: '192.168.124.1',
    dns: ['192.168.124.10'],
    domain: 'austin.example.com',
    search: ['austin.example.com', 'example.com'],
    mtu: 1400,
    leaseSeconds: { boot: 120, host: 7200 },
  },
}
const answer = { kind: 'local' } as const

let link: BootLink

beforeAll(() => needDebianPackages(['iproute2', 'perl-base', 'isc-dhcp-client', 'busybox-static', 'kea-admin', 'dnsmasq-base', 'isc-dhcp-relay']))
beforeEach(async () => {
  link = await BootLink.open()
  await link.connect('m1', { device: 'eth1', address: '192.168.124.10/24', mac })
})
afterEach(() => link[Symbol.asyncDispose]())

/** busybox' client, once; what its script was told comes back as lines `name=value`. */
async function udhcpc(machine: string, options: readonly string[] = []): Promise<Readonly<Record<string, string>>> {
  const script = join(link.folder, 'udhcpc.sh')
  await writeFile(script, '#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n', { mode: 0o755 })
  const result = await link.run(machine, ['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'eth0', '-t', '5', '-T', '2', '-s', script, ...options])
  expect(result).toMatchObject({ code: 0 })
  return Object.fromEntries(result.stdout.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]))
}

/** ISC's client, once; its lease file comes back. */
async function dhclient(machine: string, flags: readonly string[] = []): Promise<{ lease: string; stderr: string; code: number }> {
  const leases = join(link.folder, `dhclient-${machine}.leases`)
  const script = join(link.folder, 'dhclient.sh')
  await writeFile(
    script,
    '#!/bin/sh\ncase "$reason" in BOUND|REBOOT|RENEW) ip addr replace $new_ip_address/24 dev eth0;; RELEASE|EXPIRE) ip addr flush dev eth0;; esac\nexit 0\n',
    { mode: 0o755 },
  )
  const command = ['dhclient', '-1', '-v', '-lf', leases, '-pf', join(link.folder, `${machine}.pid`), '-sf', script, ...flags, 'eth0']
  const result = await link.run(machine, command)
  return { lease: await readFile(leases, 'utf8'), stderr: result.stderr, code: result.code }
}

describe('a machine with an operating system', () => {
  test('gets an address of the pool and every setting from busybox udhcpc', async () => {
    const boot = await link.serve({ interfaces: [eth1], answer })
    const bound = await udhcpc('m1', ['-O', 'search', '-O', 'mtu'])
    expect(bound).toMatchObject({
      subnet: '255.255.255.0',
      router: '192.168.124.1',
      dns: '192.168.124.10',
      domain: 'austin.example.com',
      search: 'austin.example.com example.com',
      mtu: '1400',
      lease: '7200',
      serverid: '192.168.124.10',
      broadcast: '192.168.124.255',
    })
    expect(bound).not.toHaveProperty('boot_file')
    const ack = await boot.event('boot.dhcp.ack')
    expect(ack).toMatchObject({ mac, address: bound['ip'], interface: 'eth1', subnet: 'admin', seconds: 7200 })
    expect(ack).not.toHaveProperty('boot')
  })

  test('gets its reservation from dhclient, keeps it over INIT-REBOOT, and gives it back', async () => {
    const reserved = { ...eth1, subnet: { ...eth1.subnet, reservations: [{ mac, address: '192.168.124.81', hostname: 'db1' }] } }
    const boot = await link.serve({ interfaces: [reserved], answer })
    const first = await dhclient('m1')
    expect(first.lease).toContain('fixed-address 192.168.124.81;')
    expect(first.lease).toContain('option host-name "db1";')
    expect(first.lease).toMatch(/option dhcp-lease-time 7200;/)
    // dhclient starts with the lease it has: INIT-REBOOT, no DISCOVER.
    await link.run('m1', ['dhclient', '-x', '-pf', join(link.folder, 'm1.pid'), '-lf', join(link.folder, 'dhclient-m1.leases')])
    const second = await dhclient('m1')
    expect(second.stderr).not.toContain('DHCPDISCOVER')
    expect(second.stderr).toContain('DHCPACK of 192.168.124.81')
    await dhclient('m1', ['-r'])
    expect(await boot.event('boot.dhcp.released')).toMatchObject({ mac, address: '192.168.124.81' })
  })

  test('renews its lease by unicast at T1', async () => {
    const brief = { ...eth1, subnet: { ...eth1.subnet, leaseSeconds: { boot: 8, host: 8 } } }
    const boot = await link.serve({ interfaces: [brief], answer })
    const script = join(link.folder, 'renew.sh')
    await writeFile(script, '#!/bin/sh\n[ "$reason" = BOUND ] && ip addr add $new_ip_address/24 dev eth0\nexit 0\n', { mode: 0o755 })
    const own = ['-lf', join(link.folder, 'renew.leases'), '-pf', join(link.folder, 'renew.pid'), '-sf', script]
    link.start('m1', ['dhclient', '-d', ...own, 'eth0'])
    const bound = await boot.event('boot.dhcp.ack')
    const renewed = await boot.event('boot.dhcp.ack', (event) => event !== bound)
    expect(renewed).toMatchObject({ address: bound.address, seconds: 8 })
    expect(boot.events.filter(({ type }) => type === 'boot.dhcp.offer')).toHaveLength(1)
  })

  test('is told NAK for an address of another network, and starts again', async () => {
    const boot = await link.serve({ interfaces: [eth1], answer })
    const leases = join(link.folder, 'dhclient-m1.leases')
    await writeFile(leases, 'lease { interface "eth0"; fixed-address 10.9.9.9; option subnet-mask 255.255.255.0; option dhcp-server-identifier 10.9.9.1; option dhcp-lease-time 90000000; option dhcp-message-type 5; renew never; rebind never; expire never; }\n')
    const result = await dhclient('m1')
    expect(result.stderr).toContain('DHCPNAK from 192.168.124.10')
    expect(result.stderr).toMatch(/DHCPACK of 192\.168\.124\.\d+ from 192\.168\.124\.10/)
    expect(await boot.event('boot.dhcp.nak')).toMatchObject({ address: '10.9.9.9' })
  })

  test('keeps its address when the server is killed and started again', async () => {
    const two = { ...eth1, subnet: { ...eth1.subnet, pools: [{ from: '192.168.124.21', to: '192.168.124.22' }] } }
    const before = await link.serve({ interfaces: [two], answer })
    const first = (await udhcpc('m1'))['ip']
    await before.kill()
    await link.serve({ interfaces: [two], answer })
    await link.run('m1', ['ip', 'link', 'set', 'eth0', 'address', '52:54:00:aa:00:02'])
    expect((await udhcpc('m1'))['ip']).toBe(first === '192.168.124.21' ? '192.168.124.22' : '192.168.124.21')
    await link.run('m1', ['ip', 'link', 'set', 'eth0', 'address', '52:54:00:aa:00:03'])
    const third = await link.run('m1', ['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'eth0', '-t', '2', '-T', '1'])
    expect(third.code).not.toBe(0)
    await link.run('m1', ['ip', 'link', 'set', 'eth0', 'address', mac])
    expect((await udhcpc('m1'))['ip']).toBe(first)
  })

  test('gets a new reservation without a restart', async () => {
    const boot = await link.serve({ interfaces: [eth1], answer })
    expect((await udhcpc('m1'))['ip']).toMatch(/^192\.168\.124\.[2-8]\d$/)
    const reserved = { ...eth1, subnet: { ...eth1.subnet, reservations: [{ mac, address: '192.168.124.99' }] } }
    await boot.update({ interfaces: [reserved] })
    expect((await udhcpc('m1'))['ip']).toBe('192.168.124.99')
  })

  test('is not offered an address of the pool that somebody else uses', async () => {
    const pool = (to: string): BootInterfaceSetup => ({ ...eth1, subnet: { ...eth1.subnet, pools: [{ from: '192.168.124.21', to }] } })
    await link.run('m1', ['ip', 'addr', 'add', '192.168.124.21/24', 'dev', 'eth0'])
    await link.run('m1', ['ip', 'link', 'add', 'mv0', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge'])
    await link.run('m1', ['ip', 'link', 'set', 'mv0', 'up'])
    const boot = await link.serve({ interfaces: [pool('192.168.124.21')], answer })
    const script = join(link.folder, 'none.sh')
    await writeFile(script, '#!/bin/sh\nexit 0\n', { mode: 0o755 })
    const client = ['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'mv0', '-t', '2', '-T', '1', '-s', script]
    expect((await link.run('m1', client)).code).not.toBe(0)
    expect(await boot.event('boot.dhcp.in-use')).toMatchObject({ address: '192.168.124.21' })
    expect(boot.events.map(({ type }) => type)).not.toContain('boot.dhcp.offer')
    await boot.update({ interfaces: [pool('192.168.124.22')] })
    expect((await link.run('m1', client)).stderr).toContain('192.168.124.22 obtained')
  })
})

describe('two interfaces', () => {
  test('a broadcast is answered on the link it came from, and nowhere if that link is not configured', async () => {
    await link.connect('m2', { device: 'eth2', address: '192.168.125.10/24', mac: '52:54:00:aa:00:02' })
    await link.connect('m3', { device: 'eth3', address: '192.168.126.10/24', mac: '52:54:00:aa:00:03' })
    const eth2 = {
      ...eth1,
      name: 'eth2',
      address: '192.168.125.10',
      subnet: { ...eth1.subnet, name: 'storage', cidr: '192.168.125.0/24', pools: [{ from: '192.168.125.21', to: '192.168.125.80' }] },
    }
    const boot = await link.serve({ interfaces: [eth1, eth2], answer })
    expect((await udhcpc('m1'))['serverid']).toBe('192.168.124.10')
    expect((await udhcpc('m2'))['ip']).toMatch(/^192\.168\.125\./)
    const silent = await link.run('m3', ['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'eth0', '-t', '2', '-T', '1'])
    expect(silent.code).not.toBe(0)
    expect(boot.events.filter((event) => 'mac' in event && event.mac === '52:54:00:aa:00:03')).toEqual([])
  })

  test('a second address of the device is the source of what it answers', async () => {
    await link.run('admin', ['ip', 'addr', 'add', '192.168.124.170/24', 'dev', 'eth1'])
    await link.serve({ interfaces: [{ ...eth1, address: '192.168.124.170' }], answer })
    const result = await dhclient('m1')
    expect(result.stderr).toContain('from 192.168.124.170')
    expect(result.lease).toContain('option dhcp-server-identifier 192.168.124.170;')
  })
})

describe('beside another server', () => {
  test('mode listen answers nobody and names the other server', async () => {
    await link.run('m1', ['ip', 'addr', 'add', '192.168.124.5/24', 'dev', 'eth0'])
    link.start('m1', ['dnsmasq', '-k', '--port=0', '--interface=eth0', '--bind-interfaces', '--dhcp-range=192.168.124.200,192.168.124.210', '--dhcp-leasefile=/dev/null', '--user=root', '--pid-file='])
    const boot = await link.serve({ interfaces: [{ ...eth1, mode: 'listen' }], answer })
    expect(await boot.event('boot.dhcp.foreign')).toMatchObject({ interface: 'eth1', server: '192.168.124.5' })
    expect(boot.events.map(({ type }) => type)).not.toContain('boot.dhcp.offer')
  })
})

describe('behind a relay', () => {
  test("dhcrelay's clients get an address of their own subnet", async () => {
    // admin -- eth0 [relay] veth -- [far]
    await link.run('m1', ['ip', 'addr', 'add', '192.168.124.2/24', 'dev', 'eth0'])
    await link.run('m1', ['ip', 'link', 'add', 'down0', 'type', 'veth', 'peer', 'name', 'far0'])
    await link.run('m1', ['ip', 'addr', 'add', '10.7.0.1/24', 'dev', 'down0'])
    for (const device of ['down0', 'far0']) await link.run('m1', ['ip', 'link', 'set', device, 'up'])
    await link.run('admin', ['ip', 'route', 'add', '10.7.0.0/24', 'via', '192.168.124.2'])
    const relayed = [{ ...eth1.subnet, name: 'far', cidr: '10.7.0.0/24', pools: [{ from: '10.7.0.50', to: '10.7.0.60' }], gateway: '10.7.0.1' }]
    const boot = await link.serve({ interfaces: [{ ...eth1, relayed }], answer })
    link.start('m1', ['dhcrelay', '-4', '-d', '-a', '-iu', 'eth0', '-id', 'down0', '192.168.124.10'])
    const script = join(link.folder, 'far.sh')
    await writeFile(script, '#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n', { mode: 0o755 })
    const result = await link.run('m1', ['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'far0', '-t', '8', '-T', '2', '-s', script])
    expect(result.stdout).toMatch(/^ip=10\.7\.0\.(5\d|60)$/m)
    expect(result.stdout).toContain('router=10.7.0.1')
    expect(await boot.event('boot.dhcp.ack')).toMatchObject({ subnet: 'far' })
  })
})

describe('many machines', () => {
  test('perfdhcp gets every exchange answered, each lease durable', async () => {
    const wide = {
      ...eth1,
      subnet: { ...eth1.subnet, pools: [{ from: '192.168.124.11', to: '192.168.124.254' }] },
    }
    await link.run('m1', ['ip', 'addr', 'add', '192.168.124.5/24', 'dev', 'eth0'])
    const boot = await link.serve({ interfaces: [wide], answer, probe: false, quiet: true })
    // As a relay, 200 machines, 3 seconds.
    const result = await link.run('m1', ['perfdhcp', '-4', '-r', '200', '-R', '200', '-p', '3', '-l', '192.168.124.5', '192.168.124.10'])
    const received = [...result.stdout.matchAll(/received packets: (\d+)/g)].map(([, count]) => Number(count))
    const drops = [...result.stdout.matchAll(/drops: (\d+)/g)].map(([, count]) => Number(count))
    expect(received).toHaveLength(2)
    for (const count of received) expect(count).toBeGreaterThan(400)
    for (const count of drops) expect(count).toBeLessThan(20)
    expect(await boot.end()).toBe(0)
    const lines = (await readFile(join(link.folder, 'leases'), 'utf8')).trim().split('\n')
    expect(new Set(lines.map((line) => (JSON.parse(line.slice(9)) as { client: string }).client)).size).toBeGreaterThan(150)
  })
})

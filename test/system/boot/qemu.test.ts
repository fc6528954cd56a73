import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BootAnswer } from '../../../agent/boot/booter.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { BootLink, type RunningBoot } from './boot-link.ts'

// All at once: firmware spends most of its time waiting.
const marker = 'marker-6f1d'
const hold: BootAnswer = { kind: 'hold', reason: `held ${marker}` }
const bios = '52:54:00:aa:00:11'
const uefi = '52:54:00:aa:00:12'
const disk = '52:54:00:aa:00:13'
const lkrn = '52:54:00:aa:00:14'

let link: BootLink
let boot: RunningBoot

beforeAll(async () => {
  await needDebianPackages(['iproute2', 'perl-base', 'dnsmasq-base', 'ipxe', 'qemu-system-x86', 'ovmf'])
  link = await BootLink.open()
  await link.bridge('eth1', { address: '192.168.124.10/24', taps: ['tap1', 'tap2', 'tap3', 'tap4'] })
  boot = await link.serve({
    interfaces: [
      {
        name: 'eth1',
        address: '192.168.124.10',
        mode: 'server',
        subnet: {
          name: 'admin',
          cidr: '192.168.124.0/24',
          pools: [{ from: '192.168.124.21', to: '192.168.124.80' }],
          reservations: [{ mac: uefi, address: '192.168.124.81', hostname: 'db1' }],
          gateway: '192.168.124.10',
          dns: ['192.168.124.10'],
          leaseSeconds: { boot: 120, host: 7200 },
        },
      },
    ],
    answer: hold,
    answers: {
      [disk]: { kind: 'local' },
      // iPXE as a Linux kernel: one of 350 kB, which takes its command line for a script.
      [lkrn]: { kind: 'discovery', kernel: '/boot/files/ipxe.lkrn', initrd: '/boot/files/initrd', commandLine: `echo kernel ${marker}` },
    },
    files: { 'ipxe.lkrn': '/usr/lib/ipxe/ipxe.lkrn', initrd: join(link.folder, 'initrd') },
  })
})
afterAll(() => link[Symbol.asyncDispose]())

/** Control sequences of a terminal: ESC [ … letter. */
const colour = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g')

/** Starts a machine with its console on a pipe and waits until the console has shown `text`, without its colours. */
async function untilShown(text: string, options: readonly string[], on = link): Promise<string> {
  const machine = on.start('admin', ['qemu-system-x86_64', '-accel', 'tcg', '-m', '256', '-nographic', '-no-reboot', '-monitor', 'none', '-serial', 'stdio', ...options])
  let console_ = ''
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const plain = (): string => console_.replaceAll(colour, '')
  const timer = setTimeout(() => reject(new Error(`not shown within 2 minutes: ${text}\n${plain()}`)), 120_000)
  machine.stdout?.on('data', (chunk: Buffer) => {
    console_ += chunk.toString('latin1')
    if (plain().includes(text)) resolve(plain())
  })
  machine.stderr?.on('data', (chunk: Buffer) => (console_ += chunk.toString('latin1')))
  machine.once('exit', (code) => reject(new Error(`qemu ended with ${code}: ${plain()}`)))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    machine.kill('SIGKILL')
  }
}

function network(tap: string, mac: string, rom: readonly string[] = []): readonly string[] {
  return ['-netdev', `tap,id=n,ifname=${tap},script=no,downscript=no`, '-device', ['virtio-net-pci,netdev=n', `mac=${mac}`, ...rom].join(',')]
}

test.concurrent("a BIOS machine's iPXE fetches its script and does what it says", async () => {
  await untilShown(marker, ['-boot', 'n', ...network('tap1', bios)])
  expect(await boot.event('boot.dhcp.ack', ({ mac }) => mac === bios)).toMatchObject({ boot: { architecture: 0, answer: 'hold' } })
  expect(await boot.event('boot.http.script', ({ mac }) => mac === bios)).toMatchObject({ answer: 'hold' })
})

test.concurrent('a UEFI machine fetches the loader by TFTP, and with it its script', async () => {
  const variables = join(link.folder, 'vars.fd')
  await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', variables)
  const firmware = ['-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd', '-drive', `if=pflash,format=raw,file=${variables}`]
  // Without a ROM the firmware's own PXE is what asks.
  await untilShown(marker, ['-machine', 'q35', ...firmware, ...network('tap2', uefi, ['romfile='])])
  expect(await boot.event('boot.tftp.sent', ({ mac }) => mac === uefi)).toMatchObject({ path: '52-54-00-aa-00-12/ipxe.efi', client: '192.168.124.81' })
  const acks = boot.events.flatMap((event) => (event.type === 'boot.dhcp.ack' && event.mac === uefi ? [event] : []))
  expect(new Set(acks.map(({ address }) => address))).toEqual(new Set(['192.168.124.81']))
  expect(new Set(acks.map((event) => event.boot?.architecture))).toEqual(new Set([7]))
  expect(await boot.event('boot.http.script', ({ mac }) => mac === uefi)).toMatchObject({ answer: 'hold' })
})

test.concurrent("a BIOS machine told 'local' goes on to its disk", async () => {
  const path = join(link.folder, 'disk.img')
  await writeFile(path, bootSector(`disk ${marker}`))
  await untilShown(`disk ${marker}`, ['-boot', 'n', '-drive', `file=${path},format=raw,if=virtio`, ...network('tap3', disk)])
  expect(await boot.event('boot.http.script', ({ mac }) => mac === disk)).toMatchObject({ answer: 'local' })
})

test.concurrent("a BIOS machine told 'discovery' fetches kernel and initrd and starts the kernel with its command line", async () => {
  await writeFile(join(link.folder, 'initrd'), 'initrd')
  await untilShown(`kernel ${marker}`, ['-boot', 'n', ...network('tap4', lkrn)])
  expect(await boot.event('boot.http.sent', ({ path, method }) => path === '/boot/files/initrd' && method === 'GET')).toMatchObject({ status: 200 })
})

test.concurrent("beside somebody else's DHCP server, a BIOS machine gets its address there and its script here", async () => {
  await using beside = await BootLink.open()
  await beside.bridge('eth1', { address: '192.168.124.10/24', taps: ['tap1'] })
  await beside.connect('other', { device: 'eth5', address: '192.168.99.1/30', machineAddress: '192.168.124.5/24' })
  await beside.run('admin', ['ip', 'link', 'set', 'eth5', 'master', 'eth1'])
  const range = '--dhcp-range=192.168.124.200,192.168.124.210,255.255.255.0'
  beside.start('other', ['dnsmasq', '-k', '--port=0', '--interface=eth0', '--bind-interfaces', range, '--dhcp-leasefile=/dev/null', '--user=root', '--pid-file='])
  const subnet = { name: 'admin', cidr: '192.168.124.0/24', pools: [], reservations: [], dns: [], leaseSeconds: { boot: 120, host: 7200 } }
  const proxy = await beside.serve({ interfaces: [{ name: 'eth1', address: '192.168.124.10', mode: 'proxy', subnet }], answer: hold })
  await untilShown(marker, ['-boot', 'n', ...network('tap1', bios)], beside)
  const script = await proxy.event('boot.http.script', ({ mac }) => mac === bios)
  expect(script.client).toMatch(/^192\.168\.124\.2(0\d|10)$/)
})

/** A master boot record that prints `text` and stops. */
function bootSector(text: string): Buffer {
  const sector = Buffer.alloc(1024 * 1024)
  // xor ax,ax; mov ds,ax; mov si,0x7c15; 1: lodsb; or al,al; jz 2f; mov ah,0x0e; int 0x10; jmp 1b; 2: hlt; jmp 2b
  Buffer.from('31c08ed8be157cac08c07406b40ecd10ebf5f4ebfd', 'hex').copy(sector)
  sector.write(`${text}\r\n\0`, 21, 'latin1')
  sector.writeUInt16LE(0xaa55, 510)
  return sector
}

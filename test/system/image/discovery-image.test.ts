import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { buildDiscoveryImage } from '../../../agent/image/discovery/discovery.ts'
import type { BuildDiscoveryImageOptions, DiscoveryImage } from '../../../agent/image/discovery/discovery.ts'
import { IMAGE_PROGRAMS } from '../../../agent/image/discovery/packages.ts'
import { provideHostNeeds } from '../../../agent/image/needs.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { BOOKWORM, openImageStore } from './image-store.ts'

/** Crashes the first time; the second time says what it finds and turns the machine off. */
const AGENT = `
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
if (!existsSync('/run/second')) {
  writeFileSync('/run/second', '')
  throw new Error('crash on purpose')
}
const text = path => readFileSync(path, 'utf8').trim()
console.log('FACT runtime', process.version)
console.log('FACT url', /crowbar\\.url=(\\S+)/.exec(text('/proc/cmdline'))[1])
console.log('FACT hostname', text('/proc/sys/kernel/hostname'))
for (const name of readdirSync('/sys/block')) {
  const serial = '/sys/block/' + name + '/device/serial'
  console.log('FACT disk', name, existsSync(serial) ? text(serial) : '')
}
for (const name of readdirSync('/sys/class/net')) if (name !== 'lo') console.log('FACT nic', text('/sys/class/net/' + name + '/address'), text('/sys/class/net/' + name + '/operstate'))
for (const program of ${JSON.stringify(IMAGE_PROGRAMS.map(one => one.program))}) {
  try {
    execFileSync(program, [program === 'mke2fs' || /^(mkfs.ext4|e2fsck)$/.test(program) ? '-V' : '--version'], { stdio: 'pipe' })
  } catch (error) {
    // Some know no --version; what counts is that the program and its libraries were found.
    if (error.status === null || error.status === 127) console.log('FACT broken', program, error.message)
  }
}
for (const module of ['ext4', 'vfat', 'xfs', 'raid1', 'mlx5_core', 'megaraid_sas']) execFileSync('modprobe', [module])
console.log('FACT done')
execFileSync('poweroff')
`

let store: Store
let image: DiscoveryImage

const build = (into: Store, overrides: Partial<BuildDiscoveryImageOptions> = {}): Promise<DiscoveryImage> => buildDiscoveryImage({
  os: BOOKWORM, runtime: process.execPath, agentBundle: Buffer.from(AGENT), store: into, signal: AbortSignal.timeout(600_000), onProgress: () => undefined, ...overrides,
})

beforeAll(async () => {
  await provideHostNeeds({ signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  await needDebianPackages(['qemu-system-x86'])
  store = await openImageStore()
  image = await build(store)
})

test('the image is below 80 MB, and is found again', async () => {
  expect(image.bytes).toBeLessThan(80e6)
  expect(await build(store)).toEqual(image)
})

test('another agent changes the initramfs and nothing else', async () => {
  const other = await build(store, { agentBundle: Buffer.from('console.log(1)') })
  expect(other.kernel).toBe(image.kernel)
  expect(other.initrd).not.toBe(image.initrd)
  expect(other.inputs).not.toBe(image.inputs)
})

test('built anew in another folder it has the same bytes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-anew-'))
  try {
    expect(await build(await openStore(join(folder, 'a', 'b')))).toEqual(image)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a machine with 768 MB boots it, on the interface that BOOTIF names, and a crashed agent is started again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-discovery-'))
  try {
    const console_ = join(folder, 'console')
    await writeFile(join(folder, 'disk'), '')
    await truncate(join(folder, 'disk'), 64 * 1024 * 1024)
    await runMachine([
      '-accel', 'tcg,thread=multi', '-m', '768', '-display', 'none', '-monitor', 'none', '-no-reboot', '-serial', `file:${console_}`,
      '-kernel', store.path(image.kernel), '-initrd', store.path(image.initrd),
      '-append', 'console=tty0 console=ttyS0,115200 BOOTIF=01-52-54-00-AB-CD-EF crowbar.url=https://admin.example.com',
      '-netdev', 'user,id=a,restrict=on', '-device', 'virtio-net-pci,netdev=a,mac=52:54:00:ab:cd:ee,romfile=',
      '-netdev', 'user,id=b,restrict=on', '-device', 'e1000e,netdev=b,mac=52:54:00:ab:cd:ef,romfile=',
      '-drive', `if=none,id=d,format=raw,file=${join(folder, 'disk')}`, '-device', 'nvme,drive=d,serial=4XK2',
    ])
    const said = (await readFile(console_, 'utf8')).split(/\r?\n/)
    const lines = said.filter(line => line.startsWith('crowbar: ')).map(line => line.slice('crowbar: '.length))
    expect(lines).toContain('Error: crash on purpose')
    expect(lines).toContain('the node agent ended with status 1, starting it again in 5 s')
    const facts = lines.filter(line => line.startsWith('FACT ')).map(line => line.slice('FACT '.length))
    expect(facts).toContain(`runtime ${process.version}`)
    expect(facts).toContain('url https://admin.example.com')
    expect(facts).toContain('hostname crowbar-525400abcdef')
    expect(facts).toContain('disk nvme0n1 4XK2')
    expect(facts.filter(fact => fact.startsWith('disk loop'))).toEqual([])
    expect(facts.filter(fact => fact.startsWith('nic ')).toSorted()).toEqual(['nic 52:54:00:ab:cd:ee down', 'nic 52:54:00:ab:cd:ef up'])
    expect(facts.filter(fact => fact.startsWith('broken '))).toEqual([])
    expect(facts.at(-1)).toBe('done')
    expect(said.some(line => line.endsWith('reboot: Power down'))).toBe(true)
  } finally {
    await rm(folder, { recursive: true })
  }
})

/** Settles when the machine has turned itself off, or was stopped after four minutes. */
function runMachine(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const machine = spawn('qemu-system-x86_64', args, { stdio: 'inherit', timeout: 240_000 })
    machine.once('error', reject)
    machine.once('close', () => resolve())
  })
}

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { hashDiskFile } from '../../agent/rack/disk-file.ts'
import { diskPath, qemuArguments } from '../../agent/rack/virtual-machine.ts'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

/** One UEFI machine. Its system is a mirror of two disks; a third one is wiped and shared out by a role; nobody named the other two. */
const SITE = `
kind: site
name: quay
domain: quay.example.com
admin: { network: admin, address: 192.168.127.10 }
barclamps: [builtin, { path: barclamps }]
---
kind: network
name: admin
conduit: first-port
subnets:
  - cidr: 192.168.127.0/24
    ranges: { admin: 192.168.127.10-192.168.127.20, dhcp: 192.168.127.21-192.168.127.80, host: 192.168.127.81-192.168.127.160 }
---
kind: conduit
name: first-port
ports:
  - use: [{ index: 0 }]
---
kind: node
name: admin
admin: true
networks: { admin: { address: 192.168.127.10 } }
---
kind: agent
node: admin
interfaces: { rack0: { network: admin, dhcp: server } }
---
kind: os
name: debian-for-stacks
family: debian
version: "12"
architecture: amd64
install: image
source: debian-bookworm
packages: [lvm2, cryptsetup-bin]
---
kind: node
name: quay
machine: { serial: QUAY }
os: debian-for-stacks
hardware: quay
---
kind: hardware
name: quay
disks:
  system: { choose: { minBytes: 1500000000, count: 2 }, raid: 1, onInstall: wipe }
  data: { choose: { serial: QUAY-DATA }, onInstall: wipe }
---
kind: deployment
name: storage
roles: { stack: { nodes: [quay] } }
attributes: { stack: { turn: 1 } }
---
kind: rack
name: one
machines:
  - name: m1
    firmware: uefi
    serial: QUAY
    disks:
      - { size: 1536MiB, serial: QUAY-A }
      - { size: 1536MiB, serial: QUAY-B }
      - { size: 128MiB, serial: QUAY-DATA }
      - { size: 128MiB, serial: QUAY-OTHER }
      - { size: 64MiB, serial: QUAY-CANARY, canary: true }
`
/**
 * A mirror over a disk that the hardware names and one that it does not, on it LVM, on it LUKS, open, on it a filesystem,
 * mounted. None of it comes back by itself after a restart: the role runs again.
 */
const STACK = `#!/bin/sh
set -eu
named=/dev/disk/by-id/virtio-QUAY-DATA
other=/dev/disk/by-id/virtio-QUAY-OTHER
secret() { printf secret | cryptsetup "$@"; }
if [ -e /srv/secret ]; then
  mdadm --assemble /dev/md/span $named $other
  vgchange --activate y span
else
  mdadm --create /dev/md/span --run --level=1 --raid-devices=2 --metadata=1.2 --data-offset=2M $named $other
  mdadm --wait /dev/md/span || true
  pvcreate --yes /dev/md/span
  vgcreate span /dev/md/span
  lvcreate --yes --name data --size 64m span
  secret luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - /dev/span/data
fi
secret open --key-file - /dev/span/data secret
if [ ! -e /srv/secret ]; then mkfs.ext4 -q /dev/mapper/secret; fi
mkdir -p /srv/secret
mount /dev/mapper/secret /srv/secret
echo kept > /srv/secret/file
sync
crowbar-provide stack "$(lsblk --noheadings --output TYPE --list --inverse /dev/mapper/secret | tr -s ' \\n' ' ')"
`
const FILES = {
  'barclamp.yaml': 'kind: barclamp\nname: stack\nversion: 1.0.0\nattributes: { type: object, properties: { turn: { type: integer } } }\nroles: { stack: { jig: script, run: stack.sh, provides: { stack: { type: string } } } }\n',
  'stack.sh': STACK,
}
const MIB = 1024 ** 2
/** Of a disk of the system. */
const SYSTEM = 1536 * MIB
const ERASE = 'operation/returns/erase@quay'

let folder = ''
let rack: TestRack
let canary = ''
const disk = (index: number): string => rack.rack.diskOf('m1', index)
const printed = (): string => readFileSync(join(rack.out, 'm1.console.log'), 'latin1')
const ask = (...args: string[]): ReturnType<typeof crowbar> => crowbar(...args, '--socket', rack.rack.socket)
/** What the kernel of the installed system says of each array that it starts. */
const arrays = (text: string): string[] => (text.split(/Command line: .*root=UUID=/)[1] ?? '').split('\n').flatMap(line => /md\/raid1:md[0-9]+: (.*?)\r?$/.exec(line)?.[1] ?? [])
/** SHA-256 of so many zeros, whole MiB. */
function zeros(bytes: number): string {
  const hash = createHash('sha256')
  for (let done = 0; done < bytes; done += MIB) hash.update(Buffer.alloc(MIB))
  return hash.digest('hex')
}
const copy = (from: string, to: string): void => void execFileSync('cp', ['--sparse=always', from, to])
/** A disk from where the data of an array on it begins: before that is what mdadm itself notes. */
const dataOf = (index: number): string => createHash('sha256').update(readFileSync(disk(index)).subarray(2 * MIB)).digest('hex')

/** Puts a new disk into the machine in the place of one, and switches it on. @returns what it printed until it was back. */
async function bootWithout(lost: number): Promise<string> {
  truncateSync(disk(lost), 0)
  truncateSync(disk(lost), SYSTEM)
  const before = await rack.now()
  const shown = printed().length
  await rack.rack.ask({ act: 'power-on', machine: 'm1' })
  await rack.event(before, event => event.type === 'node.connected' && event.data.environment === 'installed')
  return printed().slice(shown)
}

/** Takes the power away, and puts both disks of the system back as they were. */
async function restore(): Promise<void> {
  await rack.rack.ask({ act: 'power-off', machine: 'm1' })
  for (const index of [0, 1]) copy(join(folder, `disk${index}`), disk(index))
}

/** Starts the machine with one disk and without a network. @returns what it printed until its system is there. */
async function bootAlone(index: number): Promise<string> {
  const work = mkdtempSync(join(folder, 'alone-'))
  const [consoleFile, variables] = [join(work, 'console'), join(work, 'vars')]
  copy('/usr/share/OVMF/OVMF_VARS_4M.fd', variables)
  copy(join(folder, `disk${index}`), diskPath(work, 'm1', 0))
  const argv = qemuArguments(
    { name: 'm1', firmware: 'uefi', memory: 1024, cores: 1, serial: 'QUAY', uuid: '11111111-2222-4333-8444-555555555555', nics: [], disks: [{ bytes: SYSTEM, bus: 'virtio', serial: 'QUAY-A', content: 'blank', canary: false }] },
    { folder: work, accelerator: 'tcg', taps: [], variables, consoleFile },
  )
  const machine = spawn('qemu-system-x86_64', argv, { stdio: 'inherit' })
  const off = new Promise(resolve => machine.once('close', resolve))
  try {
    for (const deadline = Date.now() + 300_000; Date.now() < deadline; await sleep(500)) {
      const said = readFileSync(consoleFile, { encoding: 'latin1', flag: 'a+' })
      if (/ login: /.test(said)) return said
    }
    throw new Error(`it did not start: ${readFileSync(consoleFile, 'latin1').slice(-3000)}`)
  } finally {
    machine.kill('SIGKILL')
    await off
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-mirror-'))
  writeFileSync(join(folder, 'site.yaml'), SITE)
  mkdirSync(join(folder, 'barclamps/stack'), { recursive: true })
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, 'barclamps/stack', name), text, { mode: 0o755 })
  rack = await openHeldRack(folder, { nodes: 'qemu' })
  canary = await hashDiskFile(disk(4))
})
beforeEach(({ onTestFailed }) => {
  onTestFailed(() => console.error(ask('status').stdout, printed().slice(-6000)))
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('a UEFI machine is installed onto a mirror and starts from both disks; beside it runs LUKS on LVM on an array', async () => {
  expect(rack.report.problems).toEqual([])
  expect([rack.report.outcome, rack.report.steps.filter(one => one.state !== 'succeeded' && one.state !== 'unchanged')]).toEqual(['complete', []])
  expect(printed()).toContain('BdsDxe')
  // The second one is what the role made.
  expect(arrays(printed())).toEqual(['active with 2 out of 2 mirrors', 'not clean -- starting background reconstruction', 'active with 2 out of 2 mirrors'])
  expect(rack.report.reported['storage/stack@quay']).toEqual({ stack: expect.stringMatching(/crypt lvm raid1 disk/) })
})

test('an operation restarts it once although it loses power on the way, and it comes back from its second disk alone when the first one is a new one', async () => {
  const before = await rack.now()
  rack.commit({ 'site.yaml': text => `${text}---\nkind: operation\nname: kernel\ndo: [drain, reboot, resume]\nnodes: [quay]\n` })
  expect(await rack.apply()).toMatchObject({ outcome: 'started' })
  // Its system is down, and its firmware asks the network what to start.
  await rack.event(before, event => event.type === 'boot.seen' && event.data.kind === 'boot.dhcp.offer')
  await rack.rack.ask({ act: 'power-off', machine: 'm1' })
  for (const index of [0, 1, 3]) copy(disk(index), join(folder, `disk${index}`))
  const shown = await bootWithout(0)
  const { run } = await rack.runEnded()
  const sent = (await rack.eventsAfter(before)).flatMap(event => (event.type === 'step.sent' ? [event.data.step] : []))
  expect([run?.state, sent.filter(step => step.includes('/reboot@'))]).toEqual(['complete', ['operation/kernel/reboot@quay']])
  expect(shown.match(/Command line: .*/g)).toEqual([expect.stringContaining('root=UUID=')])
  expect(arrays(shown)).toEqual(['active with 1 out of 2 mirrors'])
  await restore()
  // What no install made is nothing that a start touches.
  expect([await hashDiskFile(disk(3)), await hashDiskFile(disk(4))]).toEqual([await hashDiskFile(join(folder, 'disk3')), canary])
})

test('it starts when its second disk is a new one', async () => {
  expect(arrays(await bootWithout(1))).toEqual(['active with 1 out of 2 mirrors'])
  await restore()
  expect([await hashDiskFile(disk(3)), await hashDiskFile(disk(4))]).toEqual([await hashDiskFile(join(folder, 'disk3')), canary])
})

test.each([0, 1])('firmware alone starts disk %d, when there is no network and no other disk', async index => {
  expect(arrays(await bootAlone(index))).toEqual(['active with 1 out of 2 mirrors'])
})

test('an erasure of the running node is shown, asks, and overwrites the named disks; the other half of its array stays, with all that is on it', async () => {
  await rack.rack.ask({ act: 'power-on', machine: 'm1' })
  await rack.event(await rack.now(), event => event.type === 'node.connected' && event.data.environment === 'installed')
  rack.commit({ 'site.yaml': text => text.replace('turn: 1', 'turn: 2') })
  expect(await rack.applyToTheEnd()).toEqual({ state: 'complete', sent: ['storage/stack@quay'] })
  const from = printed().length

  rack.commit({ 'site.yaml': text => `${text}---\nkind: operation\nname: returns\ndo: [drain, erase]\nnodes: [quay]\n` })
  expect(ask('apply').code).toBe(3)
  const status = ask('status').stdout
  for (const line of [`crowbar approve ${ERASE} --seen `, 'QUAY-A  1.6 GB  gpt', 'QUAY-B  1.6 GB  gpt', 'QUAY-DATA  0.1 GB  linux_raid_member "quay:span"']) expect(status).toContain(line)
  expect(status).not.toContain('QUAY-OTHER')
  expect(printed().slice(from)).not.toContain('Linux version')
  const before = await rack.now()
  expect(ask('approve', ERASE, '--seen', /--seen ([0-9a-f]{16})\n/.exec(status)?.[1] ?? '').code).toBe(0)
  // Its system is down, with all that it had to write, and its firmware asks the network what to start.
  await rack.event(before, event => event.type === 'boot.seen' && event.data.kind === 'boot.dhcp.offer')
  const other = dataOf(3)
  const { run, steps } = await rack.runEnded()
  expect([run?.state, steps.filter(one => one.state !== 'succeeded' && one.state !== 'unchanged')]).toEqual(['complete', []])
  // From its disks it went into the discovery image, and nothing of theirs was started there.
  expect(printed().slice(from)).toContain('crowbar.url=')
  expect(printed().slice(from).split('crowbar.url=')[1]).not.toMatch(/md\/raid1|md[0-9]+: /)
  // The stamp is the last to go, when the agent has said that it knows.
  for (const [index, bytes] of [[0, SYSTEM], [1, SYSTEM], [2, 128 * MIB]] as const) await expect.poll(() => hashDiskFile(disk(index)), { timeout: 20_000 }).toBe(zeros(bytes))
  expect(dataOf(3)).toBe(other)
  expect(await hashDiskFile(disk(4))).toBe(canary)
})

test('it is held, and installed again when the lock asks for that', async () => {
  expect((await rack.status()).nodes.map(one => one.connected)).toEqual(['discovery'])
  expect(ask('apply')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^nothing to do/) as string })
  const clone = rack.clone()
  expect(crowbar('reinstall', 'quay', '--site', clone)).toMatchObject({ code: 0 })
  const lock = readFileSync(join(clone, 'site.lock.json'), 'utf8')
  const from = printed().length
  rack.commit({ 'site.lock.json': () => lock })
  const { state } = await rack.applyToTheEnd()
  expect(state).toBe('complete')
  expect(arrays(printed().slice(from))[0]).toBe('active with 2 out of 2 mirrors')
  expect(await hashDiskFile(disk(4))).toBe(canary)
})

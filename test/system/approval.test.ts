import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashDiskFile } from '../../agent/rack/disk-file.ts'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

/** One BIOS machine. Its system is a mirror of two disks that hold somebody's filesystems; the array beside them is nobody's business. */
const SITE = `
kind: site
name: approval
domain: approval.example.com
admin: { network: admin, address: 192.168.126.10 }
barclamps: [builtin, { path: barclamps }]
---
kind: network
name: admin
conduit: first-port
subnets:
  - cidr: 192.168.126.0/24
    ranges: { admin: 192.168.126.10-192.168.126.20, dhcp: 192.168.126.21-192.168.126.80, host: 192.168.126.81-192.168.126.160 }
---
kind: conduit
name: first-port
ports:
  - use: [{ index: 0 }]
---
kind: node
name: admin
admin: true
networks: { admin: { address: 192.168.126.10 } }
---
kind: agent
node: admin
interfaces: { rack0: { network: admin, dhcp: server } }
---
kind: node
name: shelf
machine: { serial: SHELF }
os: debian-12
hardware: shelf
---
kind: hardware
name: shelf
disks:
  system: { choose: { minBytes: 1500000000, count: 2 }, raid: 1, onInstall: wipe }
---
{ kind: deployment, name: before, roles: { look: { nodes: [shelf] } } }
---
kind: rack
name: one
machines:
  - name: m1
    serial: SHELF
    disks:
      - { size: 1536MiB, serial: SHELF-SYSTEM, content: ext4 }
      - { size: 1536MiB, serial: SHELF-TWIN, content: gpt }
      - { size: 64MiB, serial: SHELF-CANARY, content: mdraid, canary: true }
`
/** Runs in the discovery image, before anybody approved anything. */
const LOOK = {
  'barclamp.yaml': 'kind: barclamp\nname: look\nversion: 1.0.0\nroles: { look: { jig: script, run: look.sh, flags: [discovery], provides: { disks: { type: string } } } }\n',
  'look.sh': `#!/bin/sh\nset -eu\ncrowbar-provide disks "$(cd /sys/block && echo vd* sd*)"\n`,
}
const STEP = 'install@shelf'

let folder = ''
let rack: TestRack
let machine = ''
let canary = ''
/** What status called the first content. */
let code = ''
const codeOf = (status: string): string => /--seen ([0-9a-f]{16})\n/.exec(status)?.[1] ?? ''
const printed = (): string => readFileSync(join(rack.out, 'm1.console.log'), 'latin1')
/** What the kernel says of each array that it starts; the discovery image made one before. */
const arrays = (text: string): string[] => (text.split(/Command line: .*root=UUID=/)[1] ?? '').split('\n').flatMap(line => /md\/raid1:md[0-9]+: (.*?)\r?$/.exec(line)?.[1] ?? [])
const disk = (index: number): string => rack.rack.diskOf('m1', index)
const ask = (...args: string[]): ReturnType<typeof crowbar> => crowbar(...args, '--socket', rack.rack.socket)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-approval-'))
  writeFileSync(join(folder, 'site.yaml'), SITE)
  mkdirSync(join(folder, 'barclamps/look'), { recursive: true })
  for (const [name, text] of Object.entries(LOOK)) writeFileSync(join(folder, 'barclamps/look', name), text, { mode: 0o755 })
  rack = await openHeldRack(folder, { nodes: 'qemu' })
  machine = rack.report.nodes.find(one => one.name === 'shelf')?.machine ?? ''
  canary = await hashDiskFile(disk(2))
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('a disk that holds something stops the run, which names step, machine, serial and what is on it', () => {
  expect(rack.report.problems).toEqual([])
  expect([rack.report.outcome, rack.report.steps.find(one => one.id === STEP)?.state]).toEqual(['partial', 'waiting'])
  const asked = [`crowbar approve ${STEP} --seen `, `APPROVAL NEEDED  ${STEP} on machine ${machine}`, 'SHELF-SYSTEM  1.6 GB  ext4 "old-data"', 'SHELF-TWIN  1.6 GB  gpt: ext4 "old-data"']
  const status = ask('status')
  for (const line of asked) expect(status.stdout).toContain(line)
  const again = ask('apply')
  expect([again.code, again.stdout]).toEqual([3, expect.stringContaining('wipe 1')])
  for (const line of asked) expect(again.stderr).toContain(line)
  for (const { stdout, stderr } of [status, again]) expect(stdout + stderr).not.toContain('SHELF-CANARY')
})

test('a role of the discovery image ran there meanwhile, and said what it saw', async () => {
  const events = await rack.eventsAfter(0)
  expect(events.flatMap(event => (event.type === 'step.succeeded' && event.data.step === 'before/look@shelf' ? [event.data.provides] : []))).toEqual([{ disks: expect.stringMatching(/vda vdb vdc|sda sdb sdc/) }])
})

test('half of a mirror that was altered after a person approved it is refused by the node, not a byte of either is written, and it waits anew', async () => {
  // The disk of a machine that is on: nobody has told the agent.
  execFileSync('tune2fs', ['-L', 'new-data', '-U', '11111111-2222-4333-8444-555555555555', disk(0)], { stdio: 'ignore' })
  const altered = [await hashDiskFile(disk(0)), await hashDiskFile(disk(1)), canary]
  const before = await rack.now()
  code = codeOf(ask('status').stdout)
  const approved = ask('approve', STEP, '--seen', code)
  expect([approved.code, approved.stdout]).toEqual([0, expect.stringMatching(/serial SHELF-SYSTEM, 1610612736 bytes: ext4 "old-data"/)])

  await rack.event(before, event => event.type === 'step.waiting' && event.data.step === STEP && event.data.approval !== null)
  const events = await rack.eventsAfter(before)
  // It went out to the node, under the approval; the node looked and refused.
  expect(events.flatMap(event => (event.type === 'step.sent' ? [[event.data.step, event.data.approved]] : []))).toEqual([[STEP, true]])
  expect(events.flatMap(event => (event.type === 'step.unknown' ? [event.data.reason] : []))).toEqual([
    `machine ${machine} wrote nothing: serial:SHELF-SYSTEM does not hold what was approved; it now holds: ext4 "new-data"`,
  ])
  expect(events.flatMap(event => (event.type === 'approval.voided' ? [event.data.step] : []))).toEqual([STEP])
  expect([await hashDiskFile(disk(0)), await hashDiskFile(disk(1)), await hashDiskFile(disk(2))]).toEqual(altered)
  const { stdout } = ask('status')
  expect(stdout).toContain('SHELF-SYSTEM  1.6 GB  ext4 "new-data"')
  expect(stdout).not.toContain('SHELF-SYSTEM  1.6 GB  ext4 "old-data"')
})

test('with their content approved the disks are installed, boot, and the array beside them is byte for byte as it was', async () => {
  // Who still has the old screen before him approves nothing.
  const late = ask('approve', STEP, '--seen', code)
  expect([late.code, late.stdout]).toEqual([4, expect.stringMatching(/^nothing was approved\. .*what is on disk serial:SHELF-SYSTEM differs from what was shown/)])
  const approved = ask('approve', STEP, '--seen', codeOf(ask('status').stdout))
  expect([approved.code, approved.stdout]).toEqual([0, expect.stringContaining('ext4 "new-data"')])
  const { run, steps } = await rack.runEnded()
  expect([run?.state, steps.filter(one => one.state !== 'succeeded' && one.state !== 'unchanged')]).toEqual(['complete', []])
  expect(printed()).toMatch(/Command line: .*root=UUID=/)
  // It runs from both disks, and from nothing else.
  expect(arrays(printed())).toEqual(['active with 2 out of 2 mirrors'])
  expect((await rack.status()).nodes.map(one => [one.name, one.connected])).toEqual([['shelf', 'installed']])
  expect(await hashDiskFile(disk(2))).toBe(canary)
  expect(ask('apply')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^nothing to do/) as string })
})

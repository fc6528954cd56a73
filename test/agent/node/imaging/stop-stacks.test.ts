import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSystemFiles } from '../../../../agent/node/facts/system-files.ts'
import { stopStacksOn } from '../../../../agent/node/imaging/stop-stacks.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'crowbar-stacks-'))
  for (const disk of ['vda', 'vdb', 'vdc', 'vdd']) mkdirSync(join(root, 'sys/block', disk, `${disk}1`), { recursive: true })
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

/** A device that is made of others; with a mapping's name or as an array. */
function made(name: string, members: readonly string[], kind: string): void {
  for (const member of members) mkdirSync(join(root, 'sys/block', name, 'slaves', member), { recursive: true })
  mkdirSync(join(root, 'sys/block', name, kind === '' ? 'bcache' : kind === 'md' ? 'md' : 'dm'), { recursive: true })
  if (kind !== 'md' && kind !== '') writeFileSync(join(root, 'sys/block', name, 'dm/name'), `${kind}\n`)
}

const stop = (...disks: string[]): Promise<void> => stopStacksOn(disks, { files: openSystemFiles(root), signal: AbortSignal.timeout(10_000) })

test('what runs on other disks alone is left alone, also where nothing could be stopped', async () => {
  made('md1', ['vdb1', 'vdc'], 'md')
  made('dm-0', ['md1'], 'group-data')
  made('bcache0', ['vdc1'], '')
  await expect(stop('vda', 'vdd')).resolves.toBeUndefined()
})

test.each([
  ['an array of a partition and of another disk', [['md1', ['vda1', 'vdb'], 'md']], /^the array md1 runs, and lies on vdb, too, .*\(mdadm --stop \/dev\/md1\)$/],
  ['a volume over two disks', [['dm-0', ['vda', 'vdb', 'vdc1'], 'group-data']], /^the volume group-data \(dm-0\) runs, and lies on vdb and vdc, too, .*\(dmsetup remove --noudevsync -- group-data\)$/],
  ['a volume on an array beside another disk', [['md1', ['vda'], 'md'], ['dm-0', ['md1', 'vdb'], 'group-data']], /^the volume group-data \(dm-0\) runs, and lies on vdb, too/],
  ['an array of arrays', [['md1', ['vda'], 'md'], ['md2', ['vdb'], 'md'], ['md3', ['md1', 'md2'], 'md']], /^the array md3 runs, and lies on vdb, too/],
  ['what is neither', [['bcache0', ['vda'], '']], /^bcache0 runs on a disk that is to be overwritten/],
] as const)('%s is refused before anything is stopped', async (_, devices, message) => {
  for (const [name, members, kind] of devices) made(name, members, kind)
  await expect(stop('vda')).rejects.toMatchObject({ code: 'DISK_BUSY', message: expect.stringMatching(message) as string })
})

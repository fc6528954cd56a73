import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { hashDiskFile, makeDiskFile } from '../../../agent/rack/disk-file.ts'
import type { VirtualDisk } from '../../../agent/rack/machines.ts'
import { needDebianPackages } from '../debian-packages.ts'

let folder = ''
beforeAll(() => needDebianPackages(['e2fsprogs', 'fdisk']))
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-disk-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function make(content: VirtualDisk['content'], serial = 'S1'): Promise<string> {
  const path = join(folder, `${content}-${serial}.raw`)
  await makeDiskFile(path, { disk: { bytes: 32 * 1024 * 1024, bus: 'virtio', serial, content, canary: false }, signal: AbortSignal.timeout(60_000) })
  return path
}

/** What libblkid finds at an offset: the judge of the node agent, too. */
function found(path: string, offset = 0): Record<string, string> {
  const said = execFileSync('/sbin/blkid', ['--probe', '--output', 'export', '--offset', String(offset), path], { encoding: 'utf8' })
  return Object.fromEntries(said.split('\n').flatMap(line => (line.includes('=') ? [line.split('=', 2) as [string, string]] : [])))
}

test('a disk holds a filesystem, as a whole or in the one partition of a table', async () => {
  expect(found(await make('ext4'))).toMatchObject({ TYPE: 'ext4', LABEL: 'old-data' })
  for (const [content, type] of [['gpt', 'gpt'], ['mbr', 'dos']] as const) {
    const path = await make(content)
    expect(found(path)).toMatchObject({ PTTYPE: type })
    expect(found(path, 1024 * 1024)).toMatchObject({ TYPE: 'ext4', LABEL: 'old-data' })
  }
})

test('its serial decides what a disk holds, and nothing else does', async () => {
  const uuid = found(await make('gpt', 'A'))['PTUUID']
  rmSync(join(folder, 'gpt-A.raw'))
  expect(found(await make('gpt', 'A'))['PTUUID']).toBe(uuid)
  expect(found(await make('gpt', 'B'))['PTUUID']).not.toBe(uuid)
  const random = await hashDiskFile(await make('random'))
  expect(random).not.toBe(await hashDiskFile(await make('blank')))
  expect(random).not.toBe(await hashDiskFile(await make('random', 'S2')))
})

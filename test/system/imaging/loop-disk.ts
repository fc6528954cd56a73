import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, truncate } from 'node:fs/promises'
import { diskId } from '../../../schemas/inventory.ts'
import { readBlockDevices } from '../../../agent/node/facts/block-devices.ts'
import type { BlockDevice } from '../../../agent/node/facts/block-devices.ts'
import { openSystemFiles } from '../../../agent/node/facts/system-files.ts'

/** What the disks of these tests are made, filled and looked at with, by the tests and by the node agent. */
export const DISK_PACKAGES = ['dosfstools', 'e2fsprogs', 'fdisk', 'mount', 'openssl', 'zstd'] as const

/** A file that stands for a disk. */
export interface LoopDisk extends AsyncDisposable {
  readonly file: string
  /** `/dev/loop3`. */
  readonly path: string
  /** `loop3`. */
  readonly name: string
  readonly serial: string
  /** As the node agent sees it. */
  readonly device: BlockDevice
  /** Writes into the file behind the disk, past every cache of the device. */
  write(at: number, bytes: Buffer): Promise<void>
  /** SHA-256 of the whole disk. */
  hash(): Promise<string>
}

/** Makes a disk of zeros; it is detached and removed when the scope ends. */
export async function makeLoopDisk(folder: string, { serial, bytes }: { readonly serial: string; readonly bytes: number }): Promise<LoopDisk> {
  const file = `${folder}/${serial}.img`
  await (await open(file, 'w')).close()
  await truncate(file, bytes)
  const path = run('losetup', '--find', '--show', '--partscan', file).trim()
  const name = path.slice('/dev/'.length)
  const find = (): BlockDevice => {
    const found = readBlockDevices(openSystemFiles('/'), new Map([[name, serial]])).find((device) => device.name === name)
    if (found === undefined) throw new Error(`${name} is not there`)
    return found
  }
  return {
    file, path, name, serial,
    get device() {
      const found = find()
      return { ...found, id: diskId(found.fact) }
    },
    async write(at, data) {
      {
        await using handle = await open(path, 'r+')
        await handle.write(data, 0, data.length, at)
        await handle.sync()
      }
      run('blockdev', '--flushbufs', path)
    },
    async hash() {
      run('blockdev', '--flushbufs', path)
      const hash = createHash('sha256')
      for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
      return hash.digest('hex')
    },
    async [Symbol.asyncDispose]() {
      run('sh', '-c', 'partx --delete "$1" 2>/dev/null || true', 'sh', path)
      run('losetup', '--detach', path)
      await rm(file, { force: true })
    },
  }
}

/** Runs a program and gives what it wrote; throws when it fails. */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' } })
}

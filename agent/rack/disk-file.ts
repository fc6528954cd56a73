import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { runProgram } from '../stage/run-program.ts'
import type { VirtualDisk } from './machines.ts'
import { MD_SUPERBLOCK_AT, mdSuperblock } from './md-superblock.ts'

const BLOCK = 1024 * 1024
/** Where the one partition of a disk begins. */
const PARTITION = BLOCK
const LABEL = 'old-data'

/**
 * Makes the file behind a virtual disk: sparse zeros, and on them what the disk is to hold, by the tools that put such
 * things onto real ones. The serial alone decides all ids and bytes, so that a rehearsal can be repeated.
 */
export async function makeDiskFile(path: string, { disk, signal }: { readonly disk: VirtualDisk; readonly signal: AbortSignal }): Promise<void> {
  {
    await using file = await open(path, 'wx', 0o600)
    await file.truncate(disk.bytes)
    if (disk.content === 'random') await fill(file, disk)
    if (disk.content === 'mdraid') await file.write(mdSuperblock(disk), 0, undefined, MD_SUPERBLOCK_AT)
  }
  switch (disk.content) {
    case 'blank':
    case 'random':
    case 'mdraid':
      return
    case 'ext4':
      return makeFilesystem(path, { disk, offset: 0, bytes: disk.bytes, signal })
    case 'gpt':
    case 'mbr': {
      // A GPT keeps its copy at the end of the disk.
      const bytes = disk.bytes - 2 * PARTITION
      await makeTable(path, { disk, bytes, signal })
      return makeFilesystem(path, { disk, offset: PARTITION, bytes, signal })
    }
  }
}

/** Bytes that look like nothing known. */
async function fill(file: FileHandle, { serial, bytes }: VirtualDisk): Promise<void> {
  const cipher = createCipheriv('aes-256-ctr', seed(`canary ${serial}`), Buffer.alloc(16))
  const zeros = Buffer.alloc(BLOCK)
  for (let offset = 0; offset < bytes; offset += BLOCK) {
    const block = cipher.update(offset + BLOCK <= bytes ? zeros : zeros.subarray(0, bytes - offset))
    await file.write(block, 0, block.length, offset)
  }
}

interface Extent {
  readonly disk: VirtualDisk
  readonly bytes: number
  readonly signal: AbortSignal
}

async function makeTable(path: string, { disk: { content, serial }, bytes, signal }: Extent): Promise<void> {
  const [label, id, type, uuid] = content === 'gpt'
    ? ['gpt', uuidOf(`table ${serial}`), 'linux', `, uuid=${uuidOf(`partition ${serial}`)}`]
    : ['dos', `0x${seed(`table ${serial}`).toString('hex', 0, 4)}`, '83', '']
  const script = `label: ${label}\nlabel-id: ${id}\nunit: sectors\nstart=${PARTITION / 512}, size=${bytes / 512}, type=${type}${uuid}\n`
  await runProgram(['sh', '-c', 'printf %s "$2" | sfdisk --quiet "$1"', 'sh', path, script], { signal })
}

async function makeFilesystem(path: string, { disk: { serial }, offset, bytes, signal }: Extent & { readonly offset: number }): Promise<void> {
  const extended = `offset=${offset},hash_seed=${uuidOf(`hash ${serial}`)}`
  // 4 KiB blocks, which a size in whole MiB always is a multiple of; what was there before is nothing.
  await runProgram(['mkfs.ext4', '-q', '-F', '-b', '4096', '-L', LABEL, '-U', uuidOf(`filesystem ${serial}`), '-E', extended, path, String(bytes / 4096)], { signal })
}

/** SHA-256 of a disk's bytes as they are now, hex. */
export async function hashDiskFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: BLOCK })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

function seed(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function uuidOf(text: string): string {
  const hex = seed(text).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

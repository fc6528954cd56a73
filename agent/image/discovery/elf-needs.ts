import { ImageError } from '../image-error.ts'

/** What a program or library asks the dynamic loader for. */
export interface ElfNeeds {
  /** DT_NEEDED, in order: the names of libraries. */
  readonly libraries: readonly string[]
  /** PT_INTERP: the loader's path; undefined for a library or a static program. */
  readonly interpreter: string | undefined
}

const PT_LOAD = 1
const PT_DYNAMIC = 2
const PT_INTERP = 3
const DT_NEEDED = 1n
const DT_STRTAB = 5n

/**
 * Reads which shared libraries an ELF file needs (64 bits, little endian: x86-64, arm64, riscv64).
 *
 * System V ABI, chapters 4 and 5: program headers, dynamic section.
 *
 * @returns undefined for a file that is not ELF, as a script.
 * @throws {ImageError} ELF_UNREADABLE for another class of ELF, or one cut short.
 */
export function readElfNeeds(file: Buffer): ElfNeeds | undefined {
  if (file.length < 4 || file.readUInt32BE(0) !== 0x7f454c46) return undefined
  if (file[4] !== 2 || file[5] !== 1) throw new ImageError('ELF_UNREADABLE', 'an ELF file of 64 bits, little endian, was expected')
  try {
    return read(file)
  } catch (cause) {
    throw new ImageError('ELF_UNREADABLE', 'an ELF file refers to what is outside of it', { cause })
  }
}

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: bigint
  readonly size: number
}

function read(file: Buffer): ElfNeeds {
  const segments = readSegments(file)
  const interpreter = segments.find(one => one.type === PT_INTERP)
  const dynamic = segments.find(one => one.type === PT_DYNAMIC)
  const entries = dynamic === undefined ? [] : readDynamic(file, dynamic)
  const strings = offsetOf(segments, entries.find(([tag]) => tag === DT_STRTAB)?.[1] ?? 0n)
  return {
    libraries: entries.filter(([tag]) => tag === DT_NEEDED).map(([, at]) => textAt(file, strings + Number(at))),
    interpreter: interpreter && textAt(file, interpreter.offset),
  }
}

function readSegments(file: Buffer): Segment[] {
  const table = Number(file.readBigUInt64LE(32))
  const size = file.readUInt16LE(54)
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = table + index * size
    return {
      type: file.readUInt32LE(at), offset: Number(file.readBigUInt64LE(at + 8)), address: file.readBigUInt64LE(at + 16),
      size: Number(file.readBigUInt64LE(at + 32)),
    }
  })
}

function readDynamic(file: Buffer, segment: Segment): (readonly [bigint, bigint])[] {
  const entries: (readonly [bigint, bigint])[] = []
  for (let at = segment.offset; at + 16 <= segment.offset + segment.size; at += 16) {
    const tag = file.readBigUInt64LE(at)
    if (tag === 0n) break
    entries.push([tag, file.readBigUInt64LE(at + 8)])
  }
  return entries
}

function offsetOf(segments: readonly Segment[], address: bigint): number {
  const holder = segments.find(one => one.type === PT_LOAD && address >= one.address && address < one.address + BigInt(one.size))
  return holder === undefined ? 0 : holder.offset + Number(address - holder.address)
}

function textAt(file: Buffer, at: number): string {
  const end = file.indexOf(0, at)
  if (end === -1) throw new RangeError('a string without an end')
  return file.toString('latin1', at, end)
}

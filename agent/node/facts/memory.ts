import type { SystemFiles } from './system-files.ts'

const STEP = 256 * 1024 * 1024

/**
 * Bytes of memory, as modules in slots: the sum of the kernel's memory blocks, which is the same whichever kernel runs.
 * MemTotal is not (each kernel keeps another part for itself); without blocks it is rounded up to 256 MiB.
 */
export function readMemory(files: SystemFiles): number {
  const folder = 'sys/devices/system/memory'
  const block = Number.parseInt(files.text(`${folder}/block_size_bytes`), 16) || 0
  const blocks = files.list(folder).filter((name) => /^memory[0-9]+$/.test(name) && files.text(`${folder}/${name}/state`) === 'online').length
  if (block * blocks > 0) return block * blocks
  const total = /^MemTotal:\s+([0-9]+) kB$/m.exec(files.text('proc/meminfo'))?.[1] ?? '0'
  return Math.ceil((Number(total) * 1024) / STEP) * STEP
}

import type { Facts } from '../../../schemas/inventory.ts'
import type { SystemFiles } from './system-files.ts'

/** Model, cores and threads, from /proc/cpuinfo; where that has no topology (arm64), from /sys. */
export function readProcessor(files: SystemFiles): Facts['cpu'] {
  const blocks = files.text('proc/cpuinfo').split(/\n\s*\n/).map(fieldsOf).filter((block) => block.has('processor'))
  const cores = new Set(blocks.map((block) => `${block.get('physical id') ?? ''}/${block.get('core id') ?? ''}`))
  const hasTopology = blocks.some((block) => block.has('core id'))
  const model = blocks.map((block) => block.get('model name') ?? '').find((name) => name !== '') ?? files.text('proc/device-tree/model')
  return {
    model: model.replaceAll(/\s+/g, ' ').trim(),
    cores: Math.max(1, hasTopology ? cores.size : coresFromSys(files) || blocks.length),
    threads: Math.max(1, blocks.length),
  }
}

function fieldsOf(block: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
  }
  return fields
}

function coresFromSys(files: SystemFiles): number {
  const folder = 'sys/devices/system/cpu'
  const cores = files.list(folder).filter((name) => /^cpu[0-9]+$/.test(name))
    .map((name) => `${files.text(`${folder}/${name}/topology/physical_package_id`)}/${files.text(`${folder}/${name}/topology/core_id`)}`)
    .filter((core) => core !== '/')
  return new Set(cores).size
}

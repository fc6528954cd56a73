import type { SystemFiles } from '../facts/system-files.ts'
import { NodeError } from '../node-error.ts'
import { runProgram } from '../run-program.ts'

/** What the kernel made of disks: an array, a volume, an opened LUKS. */
interface Layer {
  /** Kernel name. */
  readonly name: string
  /** What a person calls it. */
  readonly words: string
  readonly stop: readonly [string, ...string[]]
  /** Kernel names of the disks that it lies on in the end. */
  readonly disks: ReadonlySet<string>
}

/**
 * Stops all that runs on some disks, and on no other one, from the top: opened LUKS, volumes, arrays, in whatever order they
 * lie on each other.
 *
 * @param disks kernel names.
 * @throws {NodeError} DISK_BUSY when some of it lies on another disk too: then nothing was stopped; or when it is in use.
 */
export async function stopStacksOn(disks: readonly string[], { files, signal }: { readonly files: SystemFiles; readonly signal: AbortSignal }): Promise<void> {
  const layers = layersOn(disks, files)
  for (const { words, disks: all, stop } of layers) {
    const others = [...all].filter((one) => !disks.includes(one))
    if (others.length > 0) throw new NodeError('DISK_BUSY', `${words} runs, and lies on ${others.join(' and ')}, too, which is to be left as it is: stop it by hand (${stop.join(' ')})`)
  }
  // What holds another is stopped before it; what is held by something unknown says so itself.
  for (let left = layers; left.length > 0;) {
    const top = left.find(({ name }) => !left.some((other) => isOn(other.name, name, files))) ?? left[0]
    if (top === undefined) return
    const { exitCode, stderr } = await runProgram(top.stop, { signal })
    if (exitCode !== 0) throw new NodeError('DISK_BUSY', `${top.words} cannot be stopped: ${stderr.trim()}`)
    left = left.filter((one) => one !== top)
  }
}

/** What lies on some of the disks, whatever else it lies on; the lowest are not first. */
function layersOn(disks: readonly string[], files: SystemFiles): readonly Layer[] {
  return files.list('sys/block').flatMap((name) => {
    const below = disksBelow(name, files)
    return below.has(name) || !disks.some((disk) => below.has(disk)) ? [] : [{ name, disks: below, ...layer(name, files) }]
  })
}

function layer(name: string, files: SystemFiles): Pick<Layer, 'words' | 'stop'> {
  if (files.exists(`sys/block/${name}/md`)) return { words: `the array ${name}`, stop: ['mdadm', '--stop', `/dev/${name}`] }
  const mapping = files.text(`sys/block/${name}/dm/name`)
  // Nobody but this process makes or removes device files in the discovery image.
  if (mapping !== '') return { words: `the volume ${mapping} (${name})`, stop: ['dmsetup', 'remove', '--noudevsync', '--', mapping] }
  throw new NodeError('DISK_BUSY', `${name} runs on a disk that is to be overwritten, and is nothing that can be stopped from here`)
}

/** The disks that a device lies on in the end; itself, when it lies on nothing. */
function disksBelow(name: string, files: SystemFiles): ReadonlySet<string> {
  const under = membersOf(name, files)
  return new Set(under.length === 0 ? [name] : under.flatMap((one) => [...disksBelow(one, files)]))
}

function isOn(upper: string, lower: string, files: SystemFiles): boolean {
  return membersOf(upper, files).some((one) => one === lower || isOn(one, lower, files))
}

/** What a device is made of: whole devices, also where it takes a partition of one. */
function membersOf(name: string, files: SystemFiles): readonly string[] {
  return files.list(`sys/block/${name}/slaves`).map((member) => {
    if (files.exists(`sys/block/${member}`)) return member
    return files.list('sys/block').find((whole) => files.exists(`sys/block/${whole}/${member}`)) ?? member
  })
}

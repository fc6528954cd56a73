import { access, mkdir, mkdtemp, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstallTask } from '../../../schemas/protocol.ts'
import type { TaskContext, TaskEnd } from '../executor.ts'
import type { BlockDevice } from '../facts/block-devices.ts'
import type { SystemFiles } from '../facts/system-files.ts'
import { AGENT_UNITS, agentFiles, copyAgent } from '../imaging/agent-files.ts'
import type { AgentRuntime } from '../imaging/agent-files.ts'
import { arrayFile, makeArrays, stopArrays } from '../imaging/arrays.ts'
import { installBootloader } from '../imaging/bootloader.ts'
import { claimDisks, releaseDisks } from '../imaging/claim-disks.ts'
import type { ClaimedDisk } from '../imaging/claim-disks.ts'
import type { Volume } from '../imaging/make-filesystem.ts'
import { openMounts } from '../imaging/mounts.ts'
import type { Mounts } from '../imaging/mounts.ts'
import { planDisks } from '../imaging/partition-plan.ts'
import type { DiskPlan } from '../imaging/partition-plan.ts'
import { enableUnits, identityFiles, writeRootFiles } from '../imaging/root-files.ts'
import { unpackRootfs } from '../imaging/unpack.ts'
import { forgetPartitions, writePartitions } from '../imaging/write-partitions.ts'
import type { MadePartition } from '../imaging/write-partitions.ts'
import { NodeError } from '../node-error.ts'
import { mustRun, programEnvironment } from '../run-program.ts'

/** What an install needs of the machine that it runs on. */
export interface InstallOptions {
  readonly context: TaskContext
  readonly devices: readonly BlockDevice[]
  readonly files: SystemFiles
  readonly runtime: AgentRuntime
  /** Folder for the mount points. */
  readonly work: string
  /** See `makeArrays`. */
  readonly arraysNote: string
  /** MAC of the port that the machine booted from. */
  readonly bootPort: string | undefined
  /** 32 hex digits, not used before (machine-id(5)). */
  readonly machineId: string
  /** Handed on to the installed system. */
  readonly time: string | null
}

/**
 * Writes an operating system onto the chosen disks.
 *
 * Nothing is written before each target was proved to be what was approved; the first write is the stamp, which lets an
 * interrupted install begin anew. Disks that are not targets are opened for nothing, or, where one might be a
 * target by another path, for reading. However it ends, nothing stays mounted and no array stays assembled.
 * The stamp goes when the agent has acknowledged the result: until then a power cut must be able to resume.
 *
 * @throws {NodeError} any code of imaging.
 */
export async function runInstall(task: InstallTask, options: InstallOptions): Promise<TaskEnd> {
  const { install, rootfs, stamp } = task
  const { context, devices, files, work } = options
  const { signal } = context
  const say = (message: string): void => context.output('progress', message)
  if (install.method === 'joined') return { outcome: 'unchanged', provides: {} }
  if (install.method !== 'image' || rootfs === null || install.firmware === 'container') throw new NodeError('INSTALL_UNSUPPORTED', 'only real machines are imaged, and only with a root filesystem')

  const plan = planDisks(install)
  await checkPrograms(plan)
  say('looking at the disks')
  await using held = new AsyncDisposableStack()
  const disks = await claimDisks({ targets: install.targets, expect: task.expect, stamp }, { devices, files, signal, held })
  const nameOf = (id: string): string => disks.find((disk) => disk.id === id)?.name ?? ''
  const partitions: (MadePartition & { readonly disk: string })[] = []
  for (const target of install.targets.filter(({ id }) => !plan.disks.some((disk) => disk.target.id === id))) {
    await wipe(nameOf(target.id), options)
    say(`wiped ${target.entry} (${target.serial || target.id})`)
  }
  for (const disk of plan.disks) {
    say(`partitioning ${disk.target.entry} (${disk.target.serial || disk.target.id})`)
    const name = nameOf(disk.target.id)
    for (const made of await writePartitions(disk, { name, files, signal })) partitions.push({ ...made, disk: `/dev/${name}` })
  }
  await mkdir(work, { recursive: true, mode: 0o700 })
  if (plan.arrays.length > 0) say(`making ${plan.arrays.map(({ name, level }) => `${name} (RAID ${level})`).join(', ')}`)
  const arrays = await makeArrays(plan.arrays, { hostname: install.hostname, nameOf, files, note: options.arraysNote, held, signal })
  const volumes: readonly Volume[] = [...partitions, ...arrays]

  const root = await mkdtemp(join(work, 'root-'))
  {
    await using mounts = openMounts(root, { signal })
    await mountAll(mounts, partitions.filter(({ role }) => role !== 'esp'), arrays)
    say('unpacking the root filesystem')
    await unpackRootfs(rootfs, { folder: root, context })
    say('writing its identity')
    await writeRootFiles(root, [
      ...identityFiles(install, { ...options, volumes }), ...agentFiles(task.enrolment, { time: options.time }), ...(arrays.length === 0 ? [] : [arrayFile(arrays)]),
    ])
    await copyAgent(root, { runtime: options.runtime, signal })
    await enableUnits(root, AGENT_UNITS)
    say('installing the boot loader')
    for (const folder of ['/dev', '/proc', '/sys']) await mounts.bind(folder, folder)
    await installBootloader({ ...bootPlaces(partitions, volumes), root, mounts, firmware: install.firmware, architecture: install.architecture, arrays: arrays.length > 0, context })
    say('writing everything out')
    await mounts.unmountAll()
  }
  await rmdir(root)
  await stopArrays(arrays)
  await flush(disks, signal)
  context.onAcknowledged(() => releaseDisks(disks, { stamp }))
  say('the system is on the disk')
  return { outcome: 'succeeded', provides: {} }
}

/** A program that is missing is said before anything is written, and not halfway. */
async function checkPrograms({ disks, arrays }: DiskPlan): Promise<void> {
  const names = new Set([...disks.flatMap(({ partitions }) => partitions), ...arrays].map(({ fs }) => (fs === 'swap' ? 'mkswap' : `mkfs.${fs}`)))
  names.delete('mkfs.none')
  for (const name of [...names, 'sfdisk', 'partx', 'wipefs', 'blkid', 'tar', 'chroot', ...(arrays.length === 0 ? [] : ['mdadm'])]) {
    const found = await Promise.all((programEnvironment()['PATH'] ?? '').split(':').map((folder) => access(join(folder, name)).then(() => true, () => false)))
    if (!found.includes(true)) throw new NodeError('INSTALL_UNSUPPORTED', `there is no ${name} here, which the layout needs`)
  }
}

/** Mounts what the new system mounts, outer folders first; the EFI system partitions are the boot loader's. */
async function mountAll(mounts: Mounts, ...volumes: readonly (readonly Volume[])[]): Promise<void> {
  const mountable = volumes.flat().filter(({ mount }) => mount?.startsWith('/') === true)
  for (const { device, fs, mount } of mountable.toSorted((a, b) => (a.mount ?? '').length - (b.mount ?? '').length)) {
    await mounts.mount(device, mount ?? '', { type: fs })
  }
}

/** Where the boot loader goes: every disk that was given boot partitions. */
function bootPlaces(
  partitions: readonly (MadePartition & { readonly disk: string })[], volumes: readonly Volume[],
): { disks: readonly string[]; esps: readonly string[]; rootUuid: string; bootUuid: string; separateBoot: boolean } {
  const root = volumes.find(({ mount }) => mount === '/')
  const boot = volumes.find(({ mount }) => mount === '/boot')
  if (root === undefined) throw new NodeError('INSTALL_UNSUPPORTED', 'the layout has nothing for /')
  const esps = partitions.filter(({ role }) => role === 'esp')
  return { disks: esps.map(({ disk }) => disk), esps: esps.map(({ device }) => device), rootUuid: root.uuid, bootUuid: (boot ?? root).uuid, separateBoot: boot !== undefined }
}

/** A target without a place in the layout: its signatures go, so that it is a disk without content for whoever takes it. */
async function wipe(name: string, { files, context: { signal } }: InstallOptions): Promise<void> {
  await forgetPartitions(`/dev/${name}`, { name, files, signal })
  await mustRun(['wipefs', '--all', '--force', `/dev/${name}`], { signal })
}

async function flush(disks: readonly ClaimedDisk[], signal: AbortSignal): Promise<void> {
  await mustRun(['sync'], { signal })
  for (const { name } of disks) await mustRun(['blockdev', '--flushbufs', `/dev/${name}`], { signal })
}

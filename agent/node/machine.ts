import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { DiskState, Facts } from '../../schemas/inventory.ts'
import type { Task } from '../../schemas/protocol.ts'
import { inspectAll } from './disks/inspect-all.ts'
import type { RunTask, TaskContext, TaskEnd } from './executor.ts'
import { collectFacts } from './facts/collect.ts'
import { openSystemFiles } from './facts/system-files.ts'
import type { AgentRuntime } from './imaging/agent-files.ts'
import { notedArrays, stopNotedArrays } from './imaging/arrays.ts'
import { NodeError } from './node-error.ts'
import { removeTree } from './remove-tree.ts'
import { mustRun, runProgram } from './run-program.ts'
import { runDry } from './tasks/dry-run.ts'
import { runErase } from './tasks/erase.ts'
import { runEntries } from './tasks/entries.ts'
import { runInstall } from './tasks/install.ts'
import { upgradePackages } from './tasks/packages.ts'
import { runRole } from './tasks/role.ts'
import type { RoleFolders } from './tasks/role.ts'

/** The machine that this process runs on, as the node agent sees and uses it. */
export interface Machine {
  look(): Promise<{ readonly facts: Facts; readonly disks: readonly DiskState[] }>
  readonly run: RunTask
  /** Another one after each restart of the machine or container. */
  readonly boot: string
  reboot(): Promise<void>
}

export interface MachineOptions {
  readonly environment: 'discovery' | 'installed'
  /** An admin node: whatever else it is asked for is refused. */
  readonly rolesOnly?: boolean
  /** Folder for work in progress; emptied at the start. */
  readonly work: string
  /** Why `work` is on a disk. */
  readonly workOnDisk?: string
  readonly cache: string
  readonly runtime: AgentRuntime
  readonly time: string | null
  /** See `CollectOptions`. */
  readonly loopDisks: string | undefined
  readonly arch: string
  readonly signal: AbortSignal
}

/** Opens this machine. Disks are looked at once, and again when a task asks for it or an install failed. */
export async function openMachine(options: MachineOptions): Promise<Machine> {
  const files = openSystemFiles('/')
  const collect = (): ReturnType<typeof collectFacts> => collectFacts({ files, arch: options.arch, loopDisks: options.loopDisks })
  let disks: Promise<DiskState[]> | undefined
  const inspect = async (signal: AbortSignal): Promise<DiskState[]> => {
    const fresh = inspectAll(collect().devices, { files, signal })
    disks = fresh
    fresh.catch(() => (disks = undefined))
    return fresh
  }
  const folders: RoleFolders = { work: options.work, cache: options.cache, ...(options.workOnDisk === undefined ? {} : { onDisk: options.workOnDisk }) }
  // What a killed install left. First of all: what is mounted there may be this machine's own /dev.
  const arraysNote = join(options.work, 'arrays')
  const arrays = await notedArrays(arraysNote)
  await removeTree(options.work)
  await stopNotedArrays(arrays)
  await mkdir(options.work, { recursive: true, mode: 0o700 })
  const install = async (task: Extract<Task, { kind: 'install' }>, context: TaskContext): Promise<TaskEnd> => {
    try {
      return await runInstall(task, {
        context, files, devices: collect().devices, runtime: options.runtime, work: join(options.work, 'imaging'), arraysNote, bootPort: bootPort(),
        machineId: randomBytes(16).toString('hex'), time: options.time,
      })
    } catch (error) {
      // Whoever decides what happens now has to see the disks as they are.
      await inspect(options.signal).then((states) => context.disks(states), () => undefined)
      throw error
    }
  }
  const erase = async (task: Extract<Task, { kind: 'erase' }>, context: TaskContext): Promise<TaskEnd> => {
    // Loop devices stand for the disks of tests, where no discovery image runs.
    if (options.environment !== 'discovery' && options.loopDisks === undefined) throw new NodeError('INSTALL_UNSUPPORTED', 'disks are erased from the discovery image only')
    const report = (): Promise<void> => inspect(options.signal).then((states) => context.disks(states), () => undefined)
    try {
      const end = await runErase(task, { context, files, devices: collect().devices })
      // Without the stamp they are blank, which whoever installs something there next has to know.
      context.onAcknowledged(report)
      return end
    } catch (error) {
      await report()
      throw error
    }
  }
  /** What runs before an installation may have changed what the machine is and has: whoever decides about that looks again. */
  const role = async (task: Extract<Task, { kind: 'role' }>, context: TaskContext): Promise<TaskEnd> => {
    const run = (): Promise<TaskEnd> => runRole(task, { folders, context })
    if (options.environment === 'installed') return run()
    try {
      return await run()
    } finally {
      if (!options.signal.aborted) await inspect(options.signal).then((states) => context.disks(states, collect().facts), () => undefined)
    }
  }
  return {
    async look() {
      return { facts: collect().facts, disks: await (disks ?? inspect(options.signal)) }
    },
    async run(task, context) {
      if (options.rolesOnly === true && task.kind !== 'role' && task.kind !== 'dry-run') throw new NodeError('INSTALL_UNSUPPORTED', 'an admin node runs roles, and nothing else')
      switch (task.kind) {
        case 'role':
          return role(task, context)
        case 'dry-run':
          if (options.environment === 'discovery') throw new NodeError('INSTALL_UNSUPPORTED', 'a dry run is for an installed system')
          return runDry(task, { folders, context })
        case 'install':
          return install(task, context)
        case 'erase':
          return erase(task, context)
        case 'entries':
          return runEntries(task, { folders, context })
        case 'upgrade':
          return upgradePackages(task.repository, { work: join(options.work, 'upgrade'), context })
        case 'reboot':
          return rebootOnce(options, context)
        case 'inspect':
          context.disks(await inspect(context.signal))
          return { outcome: 'succeeded', provides: {} }
      }
    },
    boot: await bootId(),
    reboot: () => reboot(options),
  }
}

/** The kernel's boot id; a container shares it with its host, so there the first process's start time is added. */
async function bootId(): Promise<string> {
  const id = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const stat = await readFile('/proc/1/stat', 'latin1')
  return `${id}.${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`
}

/** In the discovery image only the port that the machine booted from has an address. */
function bootPort(): string | undefined {
  const ports = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return ports.find(({ internal, family, address }) => !internal && (family === 'IPv4' || !address.startsWith('fe80')))?.mac
}

/** The restart ends this process, and so the task has no result: whoever asked sees another boot id. */
async function rebootOnce(options: MachineOptions, context: TaskContext): Promise<never> {
  const { signal } = context
  if (options.environment === 'discovery') throw new NodeError('INSTALL_UNSUPPORTED', 'only an installed system is restarted by a task')
  context.output('progress', 'restarting')
  await reboot({ ...options, signal })
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

async function reboot({ environment, signal }: MachineOptions): Promise<void> {
  await mustRun(['sync'], { signal })
  if (environment === 'installed') {
    const { exitCode } = await runProgram(['systemctl', 'reboot'], { signal })
    if (exitCode !== 0) await mustRun(['reboot', '-f'], { signal })
    return
  }
  // The first process of the discovery image ends everything in order.
  await mustRun(['reboot'], { signal })
}

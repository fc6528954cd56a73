import { randomBytes } from 'node:crypto'
import { appendFile, readFile, readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { SystemFiles } from '../facts/system-files.ts'
import { NodeError } from '../node-error.ts'
import { mustRun, runProgram } from '../run-program.ts'
import { makeFilesystem } from './make-filesystem.ts'
import type { Volume } from './make-filesystem.ts'
import type { PlannedArray } from './partition-plan.ts'
import type { RootFile } from './root-files.ts'
import { deviceOf } from './write-partitions.ts'

/** An array that runs. */
export interface MadeArray extends Volume {
  readonly name: string
  /** As mdadm writes it: four groups of eight hex digits. */
  readonly arrayUuid: string
}

export interface MakeArraysOptions {
  readonly hostname: string
  /** Kernel name of a target, by its id. */
  readonly nameOf: (id: string) => string
  readonly files: SystemFiles
  /** File that names every array before it is made, for who has to stop it after this process was killed. */
  readonly note: string
  readonly held: AsyncDisposableStack
  readonly signal: AbortSignal
}

/** Stopping waits for who looks at a new device, so often and so long between, milliseconds. */
const STOP_TRIES = 50
const STOP_PAUSE = 100

/**
 * Makes the arrays of partitions that were just made, and their filesystems. What redundancy is needed is worked out by the
 * kernel in the background, also after a restart: the members are good from the first write on.
 *
 * An array is stopped with the scope `held`, or by `stopArrays`. Nothing here looks at any other disk: the discovery image
 * has nothing that assembles what it finds, and members are named.
 */
export async function makeArrays(arrays: readonly PlannedArray[], { hostname, nameOf, files, note, held, signal }: MakeArraysOptions): Promise<MadeArray[]> {
  const made: MadeArray[] = []
  for (const { name, level, disks, number, fs, mount } of arrays) {
    const members: string[] = []
    for (const { id } of disks) members.push(await deviceOf(nameOf(id), { number, files, signal }))
    const device = freeDevice(files)
    const arrayUuid = randomBytes(16).toString('hex').replaceAll(/(.{8})(?!$)/g, '$1:')
    await appendFile(note, `${arrayUuid}\n`)
    held.defer(() => stopArray(device, arrayUuid))
    await mustRun(['modprobe', '-a', 'md_mod', level === 5 || level === 6 ? 'raid456' : `raid${level}`], { signal })
    await mustRun([
      'mdadm', '--create', device, '--run', '--metadata=1.2', `--level=${level}`, `--raid-devices=${members.length}`, ...(level === 0 ? [] : ['--bitmap=internal']),
      `--uuid=${arrayUuid}`, `--name=${name}`, `--homehost=${hostname}`, ...members,
    ], { signal })
    made.push({ name, arrayUuid, device, fs, mount, uuid: await makeFilesystem({ device, fs, mount }, { signal }) })
  }
  return made
}

/** Stops arrays whose filesystems are unmounted; then all is on the disks. @throws {NodeError} PROGRAM_FAILED */
export async function stopArrays(arrays: readonly MadeArray[]): Promise<void> {
  for (const { device, arrayUuid } of arrays) await stopArray(device, arrayUuid)
}

/** Stops the arrays that an earlier life of this process noted, if they still run. Others are left as they are. */
export async function stopNotedArrays(uuids: ReadonlySet<string>): Promise<void> {
  if (uuids.size === 0) return
  for (const name of (await readdir('/sys/block')).filter((one) => /^md[0-9]+$/.test(one))) {
    const uuid = await uuidOf(`/dev/${name}`)
    if (uuid !== undefined && uuids.has(uuid)) await stopArray(`/dev/${name}`, uuid)
  }
}

/** The arrays that a note names; none when it is not there. */
export async function notedArrays(note: string): Promise<ReadonlySet<string>> {
  const text = await readFile(note, 'utf8').catch(() => '')
  return new Set(text.split('\n').filter((line) => line !== ''))
}

/**
 * mdadm's configuration in a new system. Only the arrays that are listed are ever assembled: what lies on disks that the
 * install did not write stays as it is. (Without an ARRAY line Debian would list all that it finds in the initial RAM disk.)
 */
export function arrayFile(arrays: readonly Pick<MadeArray, 'name' | 'arrayUuid'>[]): RootFile {
  const lines = arrays.map(({ name, arrayUuid }) => `ARRAY /dev/md/${name} metadata=1.2 UUID=${arrayUuid}`)
  return { path: 'etc/mdadm/mdadm.conf', mode: 0o644, text: ['# Arrays that are not listed here are left alone.', 'HOMEHOST <ignore>', 'MAILADDR root', 'AUTO -all', ...lines, ''].join('\n') }
}

/** An aborted task stops its arrays too, so no signal. */
async function stopArray(device: string, arrayUuid: string): Promise<void> {
  const { signal } = new AbortController()
  for (let tries = 1; ; tries++) {
    if ((await uuidOf(device)) !== arrayUuid) return
    const { exitCode, stderr } = await runProgram(['mdadm', '--stop', device], { signal })
    if (exitCode === 0) return
    if (tries >= STOP_TRIES) throw new NodeError('PROGRAM_FAILED', `the array ${device} cannot be stopped: ${stderr.trim()}`)
    await delay(STOP_PAUSE)
  }
}

async function uuidOf(device: string): Promise<string | undefined> {
  const { exitCode, stdout } = await runProgram(['mdadm', '--detail', '--export', device], { signal: new AbortController().signal })
  return exitCode === 0 ? /^MD_UUID=(.*)$/m.exec(stdout)?.[1] : undefined
}

function freeDevice(files: SystemFiles): string {
  let number = 0
  while (files.exists(`sys/block/md${number}`)) number++
  return `/dev/md${number}`
}

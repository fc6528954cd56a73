import { readFile, realpath, rm } from 'node:fs/promises'
import { NodeError } from './node-error.ts'
import { mustRun, runProgram } from './run-program.ts'

/**
 * Removes a folder of work with all that is in it, but nothing that is mounted below it: whatever a killed agent or a
 * careless script left mounted there is unmounted first. It may be the machine's own /dev, or somebody's data.
 *
 * @throws {NodeError} PROGRAM_FAILED when something stays mounted; then nothing was removed.
 */
export async function removeTree(folder: string): Promise<void> {
  const real = await realpath(folder).catch(() => undefined)
  if (real === undefined) return
  const { signal } = new AbortController()
  for (const target of (await mountedBelow(real)).toReversed()) {
    const { exitCode } = await runProgram(['umount', target], { signal })
    if (exitCode !== 0) await mustRun(['umount', '-l', target], { signal })
  }
  const [stays] = await mountedBelow(real)
  if (stays !== undefined) throw new NodeError('PROGRAM_FAILED', `${stays} cannot be unmounted`)
  await rm(real, { recursive: true, force: true, maxRetries: 3 })
}

/** As the kernel names them: without links. Spaces and the like are octal in /proc/self/mounts (proc(5)). */
async function mountedBelow(folder: string): Promise<string[]> {
  const text = await readFile('/proc/self/mounts', 'utf8')
  return text.split('\n').map((line) => (line.split(' ')[1] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((target) => target.startsWith(`${folder}/`))
}

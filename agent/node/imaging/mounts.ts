import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mustRun, runProgram } from '../run-program.ts'

/** What is mounted below one folder; all of it is unmounted, last first, when the scope ends, also after a failure. */
export interface Mounts extends AsyncDisposable {
  mount(device: string, at: string, options: { readonly type: string; readonly flags?: string }): Promise<void>
  bind(from: string, at: string): Promise<void>
  /** Unmounts what was mounted last. */
  unmountLast(): Promise<void>
  /** Unmounts now; what cannot be unmounted is an error, since its data may not be on the disk. */
  unmountAll(): Promise<void>
}

/** Mounts below `root`, which is made when it is not there. */
export function openMounts(root: string, { signal }: { readonly signal: AbortSignal }): Mounts {
  const mounted: string[] = []
  const add = async (at: string, argv: readonly string[]): Promise<void> => {
    const target = join(root, at)
    await mkdir(target, { recursive: true })
    await mustRun(['mount', ...argv, target], { signal })
    mounted.push(target)
  }
  // An aborted task has to unmount as well.
  const lasting = new AbortController().signal
  const unmountLast = async (): Promise<void> => {
    const target = mounted.at(-1)
    if (target === undefined) return
    await mustRun(['umount', target], { signal: lasting })
    mounted.pop()
  }
  return {
    mount: (device, at, { type, flags }) => add(at, ['-t', type, ...(flags === undefined ? [] : ['-o', flags]), device]),
    bind: (from, at) => add(at, ['--bind', from]),
    unmountLast,
    async unmountAll() {
      while (mounted.length > 0) await unmountLast()
    },
    async [Symbol.asyncDispose]() {
      for (const target of mounted.toReversed()) {
        const { exitCode } = await runProgram(['umount', target], { signal: lasting })
        // A process that was killed may still hold it for a moment; lazily it goes with that process.
        if (exitCode !== 0) await runProgram(['umount', '-l', target], { signal: lasting })
      }
    },
  }
}

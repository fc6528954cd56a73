import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { NodeError } from '../node-error.ts'
import { mustRun, runProgram } from '../run-program.ts'
import { endInside, usersOf } from './folder-users.ts'

/** What is mounted below one folder; all of it is unmounted, last first, when the scope ends, also after a failure. */
export interface Mounts extends AsyncDisposable {
  mount(device: string, at: string, options: { readonly type: string; readonly flags?: string }): Promise<void>
  bind(from: string, at: string): Promise<void>
  /** Unmounts what was mounted last. */
  unmountLast(): Promise<void>
  /** Unmounts now; what cannot be unmounted is an error, since its data may not be on the disk. */
  unmountAll(): Promise<void>
}

/** Unmounting waits for who is about to leave, so often and so long between, milliseconds. */
const TRIES = 50
const PAUSE = 100

/**
 * Mounts below `root`, which is made when it is not there. Before it is unmounted, processes that have it as their root are
 * ended: what a program of the new system left in the background.
 */
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
    for (let tries = 1; ; tries++) {
      const { exitCode, stderr } = await runProgram(['umount', target], { signal: lasting })
      if (exitCode === 0) break
      if (tries >= TRIES) throw new NodeError('PROGRAM_FAILED', `${target} cannot be unmounted: ${stderr.trim()}; it is used by ${usersOf(target).join(', ') || 'nothing that /proc tells'}`)
      endInside(root)
      await delay(PAUSE)
    }
    mounted.pop()
  }
  return {
    mount: (device, at, { type, flags }) => add(at, ['-t', type, ...(flags === undefined ? [] : ['-o', flags]), device]),
    bind: (from, at) => add(at, ['--bind', from]),
    unmountLast,
    async unmountAll() {
      endInside(root)
      while (mounted.length > 0) await unmountLast()
    },
    async [Symbol.asyncDispose]() {
      if (mounted.length > 0) endInside(root)
      for (const target of mounted.toReversed()) {
        const { exitCode } = await runProgram(['umount', target], { signal: lasting })
        // A process that was killed may still hold it for a moment; lazily it goes with that process.
        if (exitCode !== 0) await runProgram(['umount', '-l', target], { signal: lasting })
      }
    },
  }
}

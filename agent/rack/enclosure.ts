import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { RackError } from './rack-error.ts'

/**
 * Starts a program as the first process of a rack: in network, mount and process namespaces of its own, without any
 * route out.
 *
 * The kernel takes the rack down with its first process: machines, containers, bridges and mounts are gone when it
 * ends, whether it returns, is interrupted or is killed; and it is killed when the process that started it dies.
 *
 * @param argv the program; it runs as process 1 of the rack, as root.
 * @throws {RackError} RACK_NEEDS_ROOT when not root.
 */
export function startEnclosed(argv: readonly string[], options: { readonly env: Readonly<Record<string, string>> }): ChildProcess {
  if (process.getuid?.() !== 0) throw new RackError('RACK_NEEDS_ROOT', 'a rehearsal makes network namespaces and disks; run it as root')
  return spawn('setpriv', [
    '--pdeathsig', 'KILL', '--',
    'unshare', '--net', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc', '--',
    ...argv,
  ], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: options.env })
}

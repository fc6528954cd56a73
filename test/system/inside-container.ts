import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** A program that has run inside a container node. */
export interface RanInside {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program as root inside a container node of a rack that this machine holds, as somebody does who is logged in.
 *
 * @param upper `filesOf` the node, which tells it from containers of other racks.
 * @throws when no node agent of that node runs here.
 */
export function runInside({ node, upper }: { readonly node: string; readonly upper: string }, argv: readonly [string, ...string[]], input = ''): RanInside {
  const pid = agentOf(node, upper)
  if (pid === undefined) throw new Error(`no node agent of ${node} runs`)
  const { status, stdout, stderr } = spawnSync('nsenter', ['--target', pid, '--mount', '--uts', '--ipc', '--net', '--pid', '--root', '--wd=/', '--', ...argv], { input, encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }, timeout: 120_000 })
  return { code: status, stdout, stderr }
}

function agentOf(node: string, upper: string): string | undefined {
  return readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).find((pid) => {
    try {
      // Of the containers only this one has this root.
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('node-agent.js\0') && readFileSync(`/proc/${pid}/root/etc/hostname`, 'utf8').trim() === node && readFileSync(`/proc/${pid}/mountinfo`, 'latin1').includes(upper)
    } catch {
      return false
    }
  })
}

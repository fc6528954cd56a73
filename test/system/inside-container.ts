import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** A program that has run inside a container node. */
export interface RanInside {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A container node of a rack that this machine holds. `upper`: `filesOf` the node, which tells it from those of other racks. */
export interface Container {
  readonly node: string
  readonly upper: string
}

/**
 * Runs a program as root inside a container node, as somebody does who is logged in.
 *
 * @throws when no node agent of that node runs here.
 */
export function runInside(container: Container, argv: readonly [string, ...string[]]): RanInside {
  const pid = nodeAgentOf(container)
  if (pid === undefined) throw new Error(`no node agent of ${container.node} runs`)
  const { status, stdout, stderr } = spawnSync('nsenter', ['--target', String(pid), '--mount', '--uts', '--ipc', '--net', '--pid', '--root', '--wd=/', '--', ...argv], { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' }, timeout: 120_000 })
  return { code: status, stdout, stderr }
}

/** The process of the node agent in a container; undefined when none runs. */
export function nodeAgentOf({ node, upper }: Container): number | undefined {
  return readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number).find((pid) => {
    try {
      // Of the containers only this one has this root.
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('node-agent.js\0') && readFileSync(`/proc/${pid}/root/etc/hostname`, 'utf8').trim() === node && readFileSync(`/proc/${pid}/mountinfo`, 'latin1').includes(upper)
    } catch {
      return false
    }
  })
}

/**
 * How long `crowbar plan` takes on a large site, and `crowbar diff` of two commits of it that differ in one node, each
 * as a process of its own that starts cold; beside it what reading the same documents with `yaml` and checking them with
 * ajv takes alone. With several sizes also how much longer the largest takes than the smallest, in time of processors.
 *
 * Usage: node bench/compile.ts [NODES...]; default 1000 10000.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROLES, writeLargeSite } from './large-site.ts'

const CROWBAR = fileURLToPath(new URL('../bin/crowbar', import.meta.url))
const PEER = fileURLToPath(new URL('read-with-yaml-and-ajv.ts', import.meta.url))
/** The peer is too slow to wait for beyond so many nodes. */
const PEER_NODES = 1000
/** Clock ticks a second, of all Linux architectures that we run on. */
const TICKS = 100

const sizes = process.argv.slice(2).map(Number)
const planned: { readonly nodes: number; readonly seconds: number }[] = []
for (const nodes of sizes.length === 0 ? [1000, 10_000] : sizes) {
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-bench-'))
  try {
    const bytes = writeLargeSite(folder, nodes)
    const locked = spawnSync(CROWBAR, ['lock', '--site', folder], { encoding: 'utf8' })
    if (locked.status !== 0) throw new Error(locked.stderr)
    console.log(`${nodes} nodes, ${nodes * ROLES} role steps, ${(bytes / 1e6).toFixed(1)} MB of documents`)
    planned.push({ nodes, seconds: await measure('crowbar plan', CROWBAR, ['plan', '--site', folder]) })
    changeOneNode(folder)
    await measure('crowbar diff', CROWBAR, ['diff', '--site', folder, 'HEAD~1', 'HEAD'], 2)
    if (nodes <= PEER_NODES) await measure('yaml and ajv alone', process.execPath, [PEER, folder])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const [least, most] = [planned[0], planned.at(-1)]
if (least !== undefined && most !== undefined && least !== most) console.log(`${most.nodes} nodes take ${(most.seconds / least.seconds).toFixed(1)} times as long as ${least.nodes}`)

/** Makes two commits of the folder: as it is, and with another attribute of one node. */
function changeOneNode(folder: string): void {
  const commit = (): void => {
    for (const args of [['init', '--quiet'], ['add', '--all'], ['-c', 'user.name=bench', '-c', 'user.email=bench@example.com', 'commit', '--quiet', '--message', 'bench']]) {
      const { status, stderr } = spawnSync('git', ['-C', folder, ...args], { encoding: 'utf8' })
      if (status !== 0) throw new Error(stderr)
    }
  }
  commit()
  const path = join(folder, 'nodes/00001.yaml')
  writeFileSync(path, readFileSync(path, 'utf8').replace('port: 9001', 'port: 9999'))
  commit()
}

/** @returns seconds of processors. */
async function measure(name: string, program: string, args: readonly string[], good = 0): Promise<number> {
  const start = process.hrtime.bigint()
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  let used = { megabytes: 0, seconds: 0 }
  const look = setInterval(() => {
    used = usage(child.pid) ?? used
  }, 20)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearInterval(look)
  if (code !== good) throw new Error(`${name} ended with ${String(code)}`)
  console.log(`  ${name.padEnd(20)} ${(Number(process.hrtime.bigint() - start) / 1e9).toFixed(2).padStart(6)} s, ${used.seconds.toFixed(2).padStart(6)} s of processors  ${used.megabytes.toFixed(0).padStart(5)} MB resident`)
  return used.seconds
}

interface Usage {
  /** The most that was resident. */
  readonly megabytes: number
  /** Of all processors, in user and system mode. Says more than the clock where others work too. */
  readonly seconds: number
}

/** What a process has used until now; undefined when it is gone (proc_pid_stat(5), proc_pid_status(5)). */
function usage(pid: number | undefined): Usage | undefined {
  try {
    const peak = /^VmHWM:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
    return peak === null ? undefined : { megabytes: Number(peak[1]) / 1000, seconds: (Number(fields[11]) + Number(fields[12])) / TICKS }
  } catch {
    // It ended between two looks.
    return undefined
  }
}

/**
 * How long it takes until `crowbar --version` and `crowbar plan` of three nodes are there, the middle one of seven runs;
 * then `crowbar plan` of a large site, and `crowbar diff` of two commits of it that differ in one node. Each is a process
 * of its own that starts cold, but for the code that earlier runs compiled. Beside it what reading the same documents
 * with `yaml` and checking them with ajv takes alone. With several sizes also how much longer the largest takes than the
 * smallest, in time of processors.
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
/** What is over at once is run so often. */
const RUNS = 7
/** The peer is too slow to wait for beyond so many nodes. */
const PEER_NODES = 1000
/** Clock ticks a second, of all Linux architectures that we run on. */
const TICKS = 100

await withSite(3, async (folder) => {
  await measureMiddle('crowbar --version', CROWBAR, ['--version'])
  await measureMiddle('crowbar plan, 3 nodes', CROWBAR, ['plan', '--site', folder])
})

const sizes = process.argv.slice(2).map(Number)
const planned: { readonly nodes: number; readonly seconds: number }[] = []
for (const nodes of sizes.length === 0 ? [1000, 10_000] : sizes) {
  await withSite(nodes, async (folder, bytes) => {
    console.log(`${nodes} nodes, ${nodes * ROLES} role steps, ${(bytes / 1e6).toFixed(1)} MB of documents`)
    planned.push({ nodes, seconds: (await measure('crowbar plan', CROWBAR, ['plan', '--site', folder])).seconds })
    changeOneNode(folder)
    await measure('crowbar diff', CROWBAR, ['diff', '--site', folder, 'HEAD~1', 'HEAD'], { good: 2 })
    if (nodes <= PEER_NODES) await measure('yaml and ajv alone', process.execPath, [PEER, folder])
  })
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

/** Writes a site with its lock, does something with it and removes it. */
async function withSite(nodes: number, work: (folder: string, bytes: number) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-bench-'))
  try {
    const bytes = writeLargeSite(folder, nodes)
    const locked = spawnSync(CROWBAR, ['lock', '--site', folder], { encoding: 'utf8' })
    if (locked.status !== 0) throw new Error(locked.stderr)
    await work(folder, bytes)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Measured {
  /** From start to end. */
  readonly elapsed: number
  /** Of all processors, in user and system mode, its own and its children's. Says more than the clock where others work too. */
  readonly seconds: number
  /** The most that was resident. */
  readonly megabytes: number
}

async function measureMiddle(name: string, program: string, args: readonly string[]): Promise<void> {
  const runs: Measured[] = []
  for (let i = 0; i < RUNS; i++) runs.push(await run(name, program, args))
  show(name, runs.toSorted((a, b) => a.elapsed - b.elapsed)[Math.floor(RUNS / 2)] as Measured)
}

async function measure(name: string, program: string, args: readonly string[], { good = 0 }: { readonly good?: number } = {}): Promise<Measured> {
  const measured = await run(name, program, args, { good })
  show(`  ${name}`, measured)
  return measured
}

function show(name: string, { elapsed, seconds, megabytes }: Measured): void {
  console.log(`${name.padEnd(22)} ${elapsed.toFixed(2).padStart(6)} s, ${seconds.toFixed(2).padStart(6)} s of processors  ${megabytes.toFixed(0).padStart(5)} MB resident`)
}

async function run(name: string, program: string, args: readonly string[], { good = 0 }: { readonly good?: number } = {}): Promise<Measured> {
  const before = secondsOfChildren()
  const start = process.hrtime.bigint()
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  let megabytes = 0
  const look = setInterval(() => {
    megabytes = residentOf(child.pid) ?? megabytes
  }, 10)
  const code = await new Promise((resolve) => child.once('close', resolve))
  const elapsed = Number(process.hrtime.bigint() - start) / 1e9
  clearInterval(look)
  if (code !== good) throw new Error(`${name} ended with ${String(code)}: ${said}`)
  return { elapsed, seconds: secondsOfChildren() - before, megabytes }
}

/** Of all children that have ended, and theirs (proc_pid_stat(5), cutime and cstime). */
function secondsOfChildren(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[13]) + Number(fields[14])) / TICKS
}

/** The most that was resident of a process, in megabytes; undefined when it is gone (proc_pid_status(5)). */
function residentOf(pid: number | undefined): number | undefined {
  try {
    const peak = /^VmHWM:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return peak === null ? undefined : Number(peak[1]) / 1000
  } catch {
    // It ended between two looks.
    return undefined
  }
}

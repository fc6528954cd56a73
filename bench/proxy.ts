/**
 * The caching proxy beside apt-cacher-ng and squid: hits and bytes per second, a cold fill, memory. All ask one upstream of
 * this machine over the loopback, as a forward proxy is asked. Needs root, and installs the two and wrk.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LARGE, SMALL } from './proxy-packages.ts'

const PEERS = ['crowbar', 'apt-cacher-ng', 'squid'] as const
type Peer = (typeof PEERS)[number]
const CLIENTS = [1, 16, 100] as const
const ROUNDS = 3
const SECONDS = 2
const PROCESS = fileURLToPath(new URL('proxy-process.ts', import.meta.url))
/** Clients of the cold fill. */
const FILLERS = 8
const TRIES = 20

const started: ChildProcess[] = []
const given = new Set<number>()
const folder = mkdtempSync(join(tmpdir(), 'crowbar-bench-proxy-'))
try {
  if (install()) await measure()
} finally {
  for (const child of started) child.kill('SIGKILL')
  await Promise.all(started.filter(child => child.exitCode === null && child.signalCode === null).map(child => once(child, 'exit')))
  rmSync(folder, { recursive: true, force: true })
}

/** @returns false when there is nothing to compare with. */
function install(): boolean {
  const missing = [['apt-cacher-ng', '/usr/sbin/apt-cacher-ng'], ['squid', '/usr/sbin/squid'], ['wrk', '/usr/bin/wrk']].filter(([, file]) => !existsSync(file ?? '')).map(([name]) => name ?? '')
  if (missing.length === 0) return true
  if (process.getuid?.() !== 0) {
    console.error(`run first: sudo apt-get install -y ${missing.join(' ')}`)
    process.exitCode = 1
    return false
  }
  // What is only measured is not to be started by its installation.
  const policy = '/usr/sbin/policy-rc.d'
  const isOurs = !existsSync(policy)
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    execFileSync('apt-get', ['-q', 'update'], { env, stdio: 'ignore' })
    execFileSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '--no-install-recommends', ...missing], { env, stdio: 'ignore' })
  } finally {
    if (isOurs) rmSync(policy)
  }
  return true
}

async function measure(): Promise<void> {
  const upstream = `http://127.0.0.1:${String(await portOf(run(process.execPath, [PROCESS, 'upstream', String(await freePort())])))}/`
  const ports: Record<Peer, number> = { 'crowbar': 0, 'apt-cacher-ng': await freePort(), 'squid': await freePort() }
  const own = run(process.execPath, [PROCESS, 'proxy', join(folder, 'store'), upstream])
  ports.crowbar = await portOf(own)
  const children: Record<Peer, ChildProcess> = { 'crowbar': own, 'apt-cacher-ng': startCacher(ports['apt-cacher-ng']), 'squid': await startSquid(ports.squid) }
  for (const peer of PEERS) await listening(ports[peer])

  const all = [...SMALL, ...LARGE]
  const fill = new Map<Peer, number>()
  for (const peer of PEERS) {
    const begun = performance.now()
    await fetchAll(ports[peer], all.map(path => upstream + path))
    fill.set(peer, all.length / ((performance.now() - begun) / 1000))
  }
  print(`cold fill of ${String(all.length)} packages, ${String(FILLERS)} clients (packages/s)`, fill)
  // What is written behind is written, and what is kept in memory is there, before hits are counted.
  await sleep(3_000)
  for (const peer of PEERS) await fetchAll(ports[peer], all.map(path => upstream + path))
  for (const [what, paths, unit] of [['hits of 20 kB', SMALL, 'requests/s'], ['hits of 10 MB', LARGE, 'MB/s']] as const) {
    for (const clients of CLIENTS) {
      const best = new Map<Peer, number>()
      // In turn, so that what else the machine does meets all of them.
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const peer of PEERS) best.set(peer, Math.max(best.get(peer) ?? 0, load(ports[peer], { clients, urls: paths.map(path => upstream + path), unit })))
      }
      print(`${what}, ${String(clients)} clients (${unit})`, best)
    }
  }
  print('memory afterwards (MB resident)', new Map(PEERS.map(peer => [peer, resident(children[peer])])))
}

function run(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  started.push(child)
  return child
}

async function portOf(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new TypeError('a child without output')
  const [text] = (await once(child.stdout, 'data')) as [Buffer]
  return Number(text.toString())
}

function startCacher(port: number): ChildProcess {
  const settings = join(folder, 'acng')
  for (const name of ['', 'cache', 'log']) mkdirSync(join(settings, name), { recursive: true })
  writeFileSync(join(settings, 'acng.conf'), [`CacheDir: ${settings}/cache`, `LogDir: ${settings}/log`, `Port: ${String(port)}`, 'BindAddress: 127.0.0.1', 'ForeGround: 1', 'AllowUserPorts: 0', 'ExThreshold: 4', 'VerboseLog: 0', ''].join('\n'))
  return run('/usr/sbin/apt-cacher-ng', ['-c', settings])
}

async function startSquid(port: number): Promise<ChildProcess> {
  const settings = join(folder, 'squid')
  mkdirSync(join(settings, 'cache'), { recursive: true })
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'proxy']).toString())
  for (const path of [folder, settings, join(settings, 'cache')]) chownSync(path, id('-u'), id('-g'))
  const file = join(settings, 'squid.conf')
  writeFileSync(file, [
    `http_port 127.0.0.1:${String(port)}`, 'http_access allow all', 'access_log none', 'cache_store_log none', `cache_log ${settings}/cache.log`,
    `pid_filename ${settings}/squid.pid`, `coredump_dir ${settings}`, 'maximum_object_size 1 GB', 'maximum_object_size_in_memory 16 MB', 'cache_mem 256 MB',
    `cache_dir ufs ${settings}/cache 4096 16 256`, 'refresh_pattern . 1440 100% 10080', 'shutdown_lifetime 1 second', 'pinger_enable off', '',
  ].join('\n'))
  execFileSync('/usr/sbin/squid', ['-N', '-z', '-f', file], { stdio: 'ignore' })
  await sleep(500)
  return run('/usr/sbin/squid', ['-N', '-f', file])
}

/** apt-cacher-ng knows no port above 32767, its own or another's. */
async function freePort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 5_000); ; port += 1) {
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(() => true, () => false)
    if (!isFree) continue
    await new Promise(resolve => server.close(resolve))
    if (!given.has(port)) {
      given.add(port)
      return port
    }
  }
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const socket = connect(port, '127.0.0.1')
    const isUp = await once(socket, 'connect').then(() => true, () => false)
    socket.destroy()
    if (isUp) return
    await sleep(200)
  }
  throw new Error(`nothing listens at ${String(port)}`)
}

async function fetchAll(port: number, urls: readonly string[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: FILLERS })
  const rest = [...urls]
  const one = async (): Promise<void> => {
    for (let url = rest.pop(); url !== undefined; url = rest.pop()) {
      await fetchOne(port, url, agent)
    }
  }
  await Promise.all(Array.from({ length: FILLERS }, one))
  agent.destroy()
}

/** apt-cacher-ng hangs up now and then, also on a new connection: then again, as apt does. */
async function fetchOne(port: number, path: string, agent: Agent): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await new Promise<void>((resolve, reject) => {
        get({ host: '127.0.0.1', port, path, agent, headers: { host: new URL(path).host } }, response => {
          if (response.statusCode !== 200) reject(new Error(`${path}: ${String(response.statusCode)}`))
          response.resume().once('end', resolve).once('error', reject)
        }).once('error', reject)
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' || tries === TRIES) throw error
    }
  }
}

function load(port: number, { clients, urls, unit }: { readonly clients: number; readonly urls: readonly string[]; readonly unit: 'requests/s' | 'MB/s' }): number {
  const script = join(folder, 'load.lua')
  writeFileSync(script, `local urls = { ${urls.map(url => JSON.stringify(url)).join(', ')} }\nlocal at = 0\nrequest = function()\n  at = at % #urls + 1\n  return wrk.format("GET", urls[at])\nend\n`)
  const text = execFileSync('wrk', ['-t1', `-c${String(clients)}`, `-d${String(SECONDS)}s`, '--timeout', '30s', '-s', script, `http://127.0.0.1:${String(port)}/`]).toString()
  const bad = /Non-2xx[^\n]*/.exec(text)?.[0]
  if (bad !== undefined) throw new Error(bad)
  if (unit === 'requests/s') return Number(/Requests\/sec:\s*([\d.]+)/.exec(text)?.[1])
  const [, amount = '', prefix = ''] = /Transfer\/sec:\s*([\d.]+)([KMG]?)B/.exec(text) ?? []
  return (Number(amount) * { '': 1, 'K': 2 ** 10, 'M': 2 ** 20, 'G': 2 ** 30 }[prefix as '' | 'K' | 'M' | 'G']) / 1e6
}

function resident(child: ChildProcess): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${String(child.pid)}/status`, 'utf8'))?.[1]) / 1000
}

function print(what: string, values: ReadonlyMap<Peer, number>): void {
  const own = values.get('crowbar') ?? Number.NaN
  const text = [...values].map(([peer, value]) => `${peer} ${value.toFixed(value < 100 ? 1 : 0)}${peer === 'crowbar' ? '' : ` (${(own / value).toFixed(2)})`}`)
  console.log(`${what.padEnd(52)} ${text.join('   ')}`)
}

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { hostname, networkInterfaces, release } from 'node:os'
import { join } from 'node:path'
import { ADMIN_INCARNATION } from '../../schemas/incarnation.ts'
import { openAgentKey } from './agent-key.ts'
import { setClock } from './clock.ts'
import { CONFIG_FILE, parseCommandLine, readConfigFile } from './config.ts'
import type { NodeConfig } from './config.ts'
import { openHostName } from './host-name.ts'
import type { HostName } from './host-name.ts'
import { openJournal } from './journal.ts'
import { openMachine } from './machine.ts'
import { runNodeAgent } from './node-agent.ts'
import { mustRun } from './run-program.ts'

/**
 * The node agent. In the discovery image the kernel command line says where to connect, and what it remembers is in memory;
 * on an installed system /etc/crowbar/agent.json does, and it remembers in /var/lib/crowbar; on an admin node in
 * /var/lib/crowbar-node, where it only runs roles.
 *
 * `CROWBAR_NODE_CONFIG` and `CROWBAR_NODE_STATE` name another agent.json and another folder; `CROWBAR_LOOP_DISKS`
 * (`loop0=SERIAL,…`) makes loop devices the only disks. Ends on SIGTERM and SIGINT.
 */
async function main(): Promise<void> {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort(new Error(signal)))
  const config = await readConfig()
  const override = process.env['CROWBAR_NODE_STATE']
  const isAdmin = config.incarnation === ADMIN_INCARNATION
  // An admin node has the admin agent's own data folder beside it.
  const state = override ?? (config.environment === 'discovery' ? '/run/crowbar' : isAdmin ? '/var/lib/crowbar-node' : '/var/lib/crowbar')
  await mkdir(state, { recursive: true, mode: 0o700 })
  const work = join(state, 'work')
  const workOnDisk = override === undefined && config.environment === 'installed' ? await mountInMemory(work) : undefined
  // Ends what an earlier life left running before its working folders go.
  using journal = openJournal(join(state, 'journal'))
  const key = openAgentKey(join(state, 'key.pem'))
  const machine = await openMachine({
    environment: config.environment, rolesOnly: isAdmin, work: join(work, 'tasks'), ...(workOnDisk === undefined ? {} : { workOnDisk }), cache: config.environment === 'discovery' ? join(state, 'cache') : join(override ?? '/var/cache/crowbar', 'content'),
    runtime: { node: process.execPath, bundle: process.argv[1] ?? '' }, time: config.time, loopDisks: process.env['CROWBAR_LOOP_DISKS'], arch: process.arch, signal: stop.signal,
  })
  const now = (): number => Date.now()
  await runNodeAgent(
    {
      config, key, journal, hostName: config.environment === 'discovery' || config.node === null ? undefined : await hostNameOf(config.node, state), look: () => machine.look(), run: machine.run, boot: machine.boot,
      reboot: async () => {
        if (isAdmin) return log('an admin node is not restarted')
        await machine.reboot()
        stop.abort(new Error('reboot'))
      },
      versions: { protocol: '1', node: process.version, kernel: release() },
      setClock: async () => {
        if (config.time === null) return
        const moved = await setClock(config.time, { now, signal: stop.signal })
        if (moved !== 0) log('clock set', { movedMs: moved })
      },
      now, random: () => Math.random(), log,
      ...backoff(process.env['CROWBAR_NODE_BACKOFF_MS']),
    },
    stop.signal,
  )
}

async function readConfig(): Promise<NodeConfig> {
  const file = process.env['CROWBAR_NODE_CONFIG']
  if (file !== undefined) return readConfigFile(file)
  return parseCommandLine(await readFile('/proc/cmdline', 'utf8')) ?? readConfigFile(CONFIG_FILE)
}

/** The kernel's name is set as hostname(1) does; where a container has no such program, as the kernel takes it. */
function hostNameOf(first: string, state: string): Promise<HostName> {
  const set = async (name: string): Promise<void> => {
    await mustRun(['hostname', name], { signal: AbortSignal.timeout(10_000) }).catch(() => writeFile('/proc/sys/kernel/hostname', name))
  }
  const addresses = (): readonly string[] => Object.values(networkInterfaces()).flatMap((ports) => (ports ?? []).map(({ address }) => address))
  return openHostName({ file: join(state, 'host-name.json'), root: '/', first, kernel: { get: hostname, set }, addresses })
}

/**
 * Documents may hold secrets, and /run may not hold programs (noexec): a file system in memory for the work in progress.
 *
 * @returns why there is none.
 */
async function mountInMemory(folder: string): Promise<string | undefined> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const mounts = await readFile('/proc/self/mounts', 'utf8')
  if (mounts.includes(` ${folder} tmpfs `)) return undefined
  const signal = AbortSignal.timeout(10_000)
  try {
    await mustRun(['mount', '-t', 'tmpfs', '-o', 'mode=0700,nosuid,nodev', 'crowbar', folder], { signal })
    return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log('work stays on the disk, and roles that are given secrets are refused', { error: reason })
    return reason
  }
}

function backoff(text: string | undefined): { readonly backoff?: { readonly firstMs: number; readonly mostMs: number } } {
  return text === undefined ? {} : { backoff: { firstMs: Number(text), mostMs: Number(text) * 8 } }
}

function log(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), agent: 'node', message, ...fields })}\n`)
}

main().catch((error: unknown) => {
  log('the node agent cannot run', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  process.exitCode = 70
})

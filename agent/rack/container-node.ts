import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmod, copyFile, mkdir, open, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runProgram } from '../stage/run-program.ts'
import { RackError } from './rack-error.ts'

/** An installed node in a container: its own systemd, process table, network and file system; the host's kernel. */
export interface ContainerNode extends AsyncDisposable {
  readonly name: string
  readonly mac: string
  /** The root of its file system, as the host sees it while it is mounted. */
  readonly root: string
  readonly consoleFile: string
  readonly running: boolean
  powerOn(): Promise<void>
  /** Kills all its processes at once, as a power cut does; its disk stays. */
  powerOff(): Promise<void>
}

export interface ContainerNodeOptions {
  readonly name: string
  readonly mac: string
  /** Root filesystem that all containers share, never written. */
  readonly base: string
  /** For what this container writes. */
  readonly folder: string
  readonly consoleFolder: string
  readonly bridge: string
  /** Name of the host's end of its cable; at most 15 characters, unique in the rack. */
  readonly link: string
  /** Content of `/etc/crowbar/agent.json`, or a function of it for each power-on; null: no agent yet. */
  readonly config: unknown
  /** The Node executable and the node agent's bundle. */
  readonly runtime: string
  readonly bundle: Uint8Array
  readonly onDeath: (error: RackError) => void
  readonly signal: AbortSignal
}

/** Unpacks a root filesystem for containers to share. */
export async function unpackBase(archive: string, folder: string, signal: AbortSignal): Promise<void> {
  await mkdir(folder, { recursive: true })
  await runProgram(['tar', '--zstd', '--numeric-owner', '-xpf', archive, '-C', folder], { signal })
}

const UNIT = `[Unit]
Description=Crowbar node agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/lib/crowbar/node /usr/lib/crowbar/node-agent.js
Restart=always
RestartSec=2
KillMode=process

[Install]
WantedBy=multi-user.target
`

/**
 * Makes a container node, switched off, with a node agent that was set up as somebody who joins an installed machine
 * sets it up. Has to run in the rack's namespaces, as root.
 */
export async function makeContainerNode(options: ContainerNodeOptions): Promise<ContainerNode> {
  const { name, folder, signal } = options
  const upper = join(folder, 'upper')
  const overlayWork = join(folder, 'work')
  const root = join(folder, 'root')
  for (const path of [upper, overlayWork, root]) await mkdir(path, { recursive: true })
  await runProgram(['mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${options.base},upperdir=${upper},workdir=${overlayWork}`, root], { signal })
  await furnish(root, options)
  const consoleFile = join(options.consoleFolder, `${name}.console.log`)
  let process: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()

  const powerOn = async (): Promise<void> => {
    if (process !== undefined) return
    await plugIn(options)
    const log = await open(consoleFile, 'a')
    const child = spawn('systemd-nspawn', [
      '--quiet', '--directory', root, '--boot', '--register=no', '--keep-unit', '--kill-signal=SIGKILL', '--console=pipe',
      '--machine', name, '--network-interface', `${options.link}n`, '--link-journal=no', '--resolv-conf=off',
    ], { stdio: ['ignore', log.fd, log.fd] })
    process = child
    ended = new Promise(resolve => {
      const end = (how: string): void => {
        if (process === child) {
          process = undefined
          options.onDeath(new RackError('RACK_MACHINE_DIED', `the container node ${name} ended by itself (${how}); see ${consoleFile}`))
        }
        void log.close().then(resolve, resolve)
      }
      child.once('error', error => end(error.message))
      child.once('exit', (code, killedBy) => end(String(code ?? killedBy)))
    })
  }
  const powerOff = async (): Promise<void> => {
    const child = process
    process = undefined
    // nspawn forwards its --kill-signal to the container's init, whose end takes every process of the container along.
    child?.kill('SIGTERM')
    const killer = setTimeout(() => child?.kill('SIGKILL'), 3_000)
    await ended
    clearTimeout(killer)
  }
  return {
    name,
    mac: options.mac,
    root,
    consoleFile,
    get running() {
      return process !== undefined
    },
    powerOn,
    powerOff,
    async [Symbol.asyncDispose]() {
      await powerOff()
      await runProgram(['umount', '--lazy', root], { signal: AbortSignal.timeout(10_000) })
    },
  }
}

/** The cable dies with the container that held its other end, so each start gets a new one. */
async function plugIn({ link, mac, bridge, signal }: ContainerNodeOptions): Promise<void> {
  const ip = (...args: string[]): Promise<unknown> => runProgram(['ip', ...args], { signal })
  await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}n`, 'address', mac)
  await ip('link', 'set', link, 'master', bridge, 'up')
}

async function furnish(root: string, options: ContainerNodeOptions): Promise<void> {
  const put = async (path: string, content: string | Uint8Array, mode: number): Promise<void> => {
    const file = join(root, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    await chmod(file, mode)
  }
  await put('etc/hostname', `${options.name}\n`, 0o644)
  await put('etc/systemd/network/10-rack.network', `[Match]\nMACAddress=${options.mac}\n\n[Network]\nDHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\n`, 0o644)
  await put('usr/lib/crowbar/node-agent.js', options.bundle, 0o644)
  await put('usr/lib/crowbar/package.json', '{"type":"module"}\n', 0o644)
  await copyFile(options.runtime, join(root, 'usr/lib/crowbar/node'))
  await chmod(join(root, 'usr/lib/crowbar/node'), 0o755)
  if (options.config !== null) await put('etc/crowbar/agent.json', JSON.stringify(options.config), 0o600)
  await put('etc/systemd/system/crowbar-node.service', UNIT, 0o644)
  const wants = join(root, 'etc/systemd/system/multi-user.target.wants')
  await mkdir(wants, { recursive: true })
  await symlink('../crowbar-node.service', join(wants, 'crowbar-node.service'))
}

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmod, mkdir, open, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runProgram } from '../stage/run-program.ts'
import { GROUP_PREFIX, makeControlGroup } from './cgroups.ts'
import type { MachineSpec } from './machines.ts'
import type { RackNetwork } from './network.ts'
import { RackError } from './rack-error.ts'
import type { RackMachine } from './rack-machine.ts'

export interface ContainerNodeOptions {
  /** The node that it is. */
  readonly node: string
  readonly spec: MachineSpec
  /** Of the rack, for names that the whole machine sees. */
  readonly rack: string
  /** Root filesystem that all containers share, never written. */
  readonly base: string
  /** For what this container writes: its `upper` holds every file that differs from the base. */
  readonly folder: string
  readonly consoleFolder: string
  readonly network: RackNetwork
  /** Name of the host's end of its first cable; at most 12 characters, unique in the rack. */
  readonly link: string
  /** The address that the node is to have; null: it asks by DHCP. */
  readonly address: string | null
  /** Content of `/etc/crowbar/agent.json`. */
  readonly config: unknown
  /** The Node executable and the node agent's bundle. */
  readonly runtime: string
  readonly bundle: string
  readonly onDeath: (error: RackError) => void
  readonly signal: AbortSignal
}

/** Unpacks a root filesystem for containers to share. */
export async function unpackBase(archive: string, folder: string, signal: AbortSignal): Promise<void> {
  await mkdir(folder, { recursive: true })
  await runProgram(['tar', '--zstd', '--numeric-owner', '-xpf', archive, '-C', folder], { signal })
}

/**
 * Makes the rack's mount namespace one in which containers start: a /run of its own, and a /sys that shows the rack's
 * network. /sys is read-only there, which tells systemd-nspawn that no udev looks after the cables.
 */
export async function prepareForContainers(signal: AbortSignal): Promise<void> {
  const mount = (...args: string[]): Promise<unknown> => runProgram(['mount', ...args], { signal })
  await mount('-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', '/run')
  await mkdir('/run/sys')
  await mount('-o', 'ro', '-t', 'sysfs', 'sysfs', '/run/sys')
  await mount('--rbind', '/sys/fs/cgroup', '/run/sys/fs/cgroup')
  await mount('--move', '/run/sys', '/sys')
}

const UNIT = `[Unit]
Description=Crowbar node agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/lib/crowbar/node /usr/lib/crowbar/node-agent.js
StandardError=journal+console
Restart=always
RestartSec=2
KillMode=process

[Install]
WantedBy=multi-user.target
`

/** Joins its groups first, so that the init systems of two containers do not take each other's for their own. */
const ENTER = 'for folder in $CROWBAR_GROUPS; do echo $$ >"$folder/cgroup.procs" || exit 70; done; unset CROWBAR_GROUPS; exec systemd-nspawn "$@"'

/** How systemd-nspawn ends when the container was restarted from inside, and is to be started again. */
const RESTARTED = 133

/**
 * Makes a container node, switched off: an installed machine with its own systemd, processes, network and file system on
 * the host's kernel, whose node agent was set up as somebody does who joins it. Has to run in the rack's namespaces, after
 * `prepareForContainers`, as root.
 */
export async function makeContainerNode(options: ContainerNodeOptions): Promise<RackMachine> {
  const { node: name, folder, spec, signal } = options
  const upper = join(folder, 'upper')
  const overlayWork = join(folder, 'work')
  const root = join(folder, 'root')
  for (const path of [upper, overlayWork, root]) await mkdir(path, { recursive: true })
  await runProgram(['mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${options.base},upperdir=${upper},workdir=${overlayWork}`, root], { signal })
  await furnish(root, options)
  const group = await makeControlGroup(`${GROUP_PREFIX}${options.rack}-${name}`)
  const consoleFile = join(options.consoleFolder, `${name}.console.log`)
  const cables = spec.nics.map((nic, index) => ({ mac: nic.mac, host: `${options.link}${index}`, inside: `${options.link}${index}n` }))
  let process: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()

  const powerOn = async (): Promise<void> => {
    if (process !== undefined) return
    for (const cable of cables) await plugIn(cable, options)
    const log = await open(consoleFile, 'a')
    const child = spawn('sh', [
      '-c', ENTER, 'sh', '--quiet', '--directory', root, '--boot', '--register=no', '--keep-unit', '--kill-signal=SIGKILL', '--console=pipe',
      '--machine', name, '--uuid', spec.uuid, '--link-journal=no', '--resolv-conf=off', ...cables.map(cable => `--network-interface=${cable.inside}`),
      `--bind-ro=${options.runtime}:/usr/lib/crowbar/node`, `--bind-ro=${options.bundle}:/usr/lib/crowbar/node-agent.js`,
    ], {
      stdio: ['ignore', log.fd, log.fd],
      // systemd's own switch: the container has cgroup2 only, whatever the host mixes.
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1', CROWBAR_GROUPS: group.folders.join(' ') },
    })
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
      child.once('exit', (code, killedBy) => {
        if (code !== RESTARTED || process !== child) return end(String(code ?? killedBy))
        process = undefined
        powerOn().catch((error: unknown) => options.onDeath(new RackError('RACK_MACHINE_DIED', `the container node ${name} did not start again: ${String(error)}`)))
        void log.close().then(resolve, resolve)
      })
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
    consoleFile,
    canaries: [],
    get running() {
      return process !== undefined
    },
    powerOn,
    powerOff,
    async [Symbol.asyncDispose]() {
      await powerOff()
      await runProgram(['umount', '--lazy', root], { signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
      await group.remove()
    },
  }
}

/** A cable dies with the container that held its other end, a moment later than it; each start gets a new one. */
async function plugIn(cable: { readonly mac: string; readonly host: string; readonly inside: string }, { network, signal }: ContainerNodeOptions): Promise<void> {
  const ip = (...args: string[]): Promise<unknown> => runProgram(['ip', ...args], { signal })
  await ip('link', 'del', cable.host).catch(() => undefined)
  await ip('link', 'add', cable.host, 'type', 'veth', 'peer', 'name', cable.inside, 'address', cable.mac)
  await ip('link', 'set', cable.host, 'master', network.bridge, 'up')
}

async function furnish(root: string, options: ContainerNodeOptions): Promise<void> {
  const put = async (path: string, content: string, mode: number): Promise<void> => {
    const file = join(root, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    await chmod(file, mode)
  }
  await put('etc/hostname', `${options.node}\n`, 0o644)
  const how = options.address === null ? 'DHCP=ipv4' : `Address=${options.address}/${options.network.prefix}`
  await put('etc/systemd/network/10-rack.network', `[Match]\nMACAddress=${options.spec.nics[0]?.mac ?? ''}\n\n[Network]\n${how}\n\n[DHCPv4]\nClientIdentifier=mac\n`, 0o644)
  await put('usr/lib/crowbar/package.json', '{"type":"module"}\n', 0o644)
  await put('etc/crowbar/agent.json', JSON.stringify(options.config), 0o600)
  await put('etc/systemd/system/crowbar-node.service', UNIT, 0o644)
  const wants = join(root, 'etc/systemd/system/multi-user.target.wants')
  await mkdir(wants, { recursive: true })
  await symlink('../crowbar-node.service', join(wants, 'crowbar-node.service'))
}

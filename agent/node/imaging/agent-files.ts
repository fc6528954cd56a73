import { copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { InstallTask } from '../../../schemas/protocol.ts'
import { runProgram } from '../run-program.ts'
import type { RootFile } from './root-files.ts'

/** The runtime and the bundle that this node agent itself runs from. */
export interface AgentRuntime {
  /** The program `node`. */
  readonly node: string
  /** The node agent as one file. */
  readonly bundle: string
}

/** Where the node agent lives in an installed system. */
export const AGENT_FOLDER = 'usr/lib/crowbar'
/** Folders where a Debian system's loader looks for libraries. */
const LIBRARY_FOLDERS = ['lib', 'lib64', 'usr/lib', 'usr/lib64', 'lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu', 'usr/lib/aarch64-linux-gnu']

/** Configuration and unit of the node agent. agent.json holds the token of the new installation, so it is root's alone. */
export function agentFiles(enrolment: InstallTask['enrolment'], { time }: { readonly time: string | null }): RootFile[] {
  return [
    { path: 'etc/crowbar/agent.json', mode: 0o600, text: `${JSON.stringify({ ...enrolment, time }, undefined, 2)}\n` },
    { path: 'etc/systemd/system/crowbar-node.service', mode: 0o644, text: UNIT },
  ]
}

/**
 * Copies the runtime and the bundle into a new system, with those libraries of the runtime that the system lacks.
 */
export async function copyAgent(root: string, { runtime, signal }: { readonly runtime: AgentRuntime; readonly signal: AbortSignal }): Promise<void> {
  const folder = join(root, AGENT_FOLDER)
  await mkdir(join(folder, 'lib'), { recursive: true })
  await copyFile(runtime.node, join(folder, 'node'))
  await copyFile(runtime.bundle, join(folder, 'node-agent.js'))
  // The bundle is an ES module, which its name does not say.
  await writeFile(join(folder, 'package.json'), '{"type":"module"}\n')
  for (const library of await librariesOf(runtime.node, signal)) {
    const there = await Promise.all(LIBRARY_FOLDERS.map((one) => exists(join(root, one, basename(library)))))
    if (!there.includes(true)) await copyFile(library, join(folder, 'lib', basename(library)))
  }
}

/** The loader itself says what a program would be given (ld.so(8), `--list`). */
async function librariesOf(program: string, signal: AbortSignal): Promise<string[]> {
  const loaders = (await readdir('/lib64').catch(() => [])).filter((name) => name.startsWith('ld-linux')).map((name) => `/lib64/${name}`)
  const arm = await readdir('/lib').then((names) => names.filter((name) => name.startsWith('ld-linux')).map((name) => `/lib/${name}`))
  const [loader] = [...loaders, ...arm]
  if (loader === undefined) return []
  const { stdout } = await runProgram([loader, '--list', program], { signal })
  return stdout.split('\n').map((line) => / => (\/[^ ]+)/.exec(line)?.[1]).filter((path) => path !== undefined)
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false)
}

/**
 * A role's processes end with the agent when it is killed: the agent, started again, then says truly that they do not run.
 * Started again for ever, since nothing else could.
 */
const UNIT = `[Unit]
Description=Crowbar node agent
Wants=network-online.target
After=network.target
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=/usr/lib/crowbar/node /usr/lib/crowbar/node-agent.js
Environment=LD_LIBRARY_PATH=/usr/lib/crowbar/lib
Restart=always
RestartSec=1
KillMode=control-group
TasksMax=infinity
OOMScoreAdjust=-500
StandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
`

/** The units to enable, for `enableUnits`. */
export const AGENT_UNITS = [
  { unit: 'crowbar-node.service', file: '/etc/systemd/system/crowbar-node.service', wantedBy: 'multi-user.target' },
  { unit: 'systemd-networkd.service', file: '/lib/systemd/system/systemd-networkd.service', wantedBy: 'multi-user.target' },
] as const

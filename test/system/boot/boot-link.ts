import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BootEvent } from '../../../agent/boot/boot-event.ts'
import type { BootServerSetup } from './boot-server-process.ts'

const run = promisify(execFile)

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * An admin node and machines on cables of their own: network namespaces joined by veth pairs. Everything is removed on
 * disposal.
 */
export class BootLink implements AsyncDisposable {
  /** A folder for the test's files, removed at the end. */
  readonly folder: string
  readonly #prefix: string
  readonly #stack = new AsyncDisposableStack()
  #machines = 0

  private constructor(folder: string) {
    this.folder = folder
    this.#prefix = `cbt${process.pid}${Math.trunc(performance.now() % 100_000)}`
  }

  static async open(): Promise<BootLink> {
    const link = new BootLink(await mkdtemp(join(tmpdir(), 'boot-link-')))
    link.#stack.defer(() => rm(link.folder, { recursive: true, force: true }))
    await link.#namespace('admin')
    return link
  }

  /** Connects a new machine `name` to the admin node's device `device`, which is made and gets `address` (CIDR). */
  async connect(name: string, options: { device: string; address: string; mac?: string; machineAddress?: string }): Promise<void> {
    await this.#namespace(name)
    this.#machines += 1
    const temporary = `v${process.pid}x${this.#machines}`
    const admin = this.#name('admin')
    await run('ip', ['-n', admin, 'link', 'add', options.device, 'type', 'veth', 'peer', 'name', temporary])
    await run('ip', ['-n', admin, 'link', 'set', temporary, 'netns', this.#name(name), 'name', 'eth0'])
    if (options.mac) await run('ip', ['-n', this.#name(name), 'link', 'set', 'eth0', 'address', options.mac])
    await run('ip', ['-n', admin, 'addr', 'add', options.address, 'dev', options.device])
    await run('ip', ['-n', admin, 'link', 'set', options.device, 'up'])
    await run('ip', ['-n', this.#name(name), 'link', 'set', 'eth0', 'up'])
    if (options.machineAddress) await run('ip', ['-n', this.#name(name), 'addr', 'add', options.machineAddress, 'dev', 'eth0'])
  }

  /** Makes a bridge `device` with `address` (CIDR) on the admin node, and a tap on it for each virtual machine. */
  async bridge(device: string, options: { address: string; taps: readonly string[] }): Promise<void> {
    const admin = this.#name('admin')
    await run('ip', ['-n', admin, 'link', 'add', device, 'type', 'bridge'])
    await run('ip', ['-n', admin, 'addr', 'add', options.address, 'dev', device])
    await run('ip', ['-n', admin, 'link', 'set', device, 'up'])
    for (const tap of options.taps) {
      await run('ip', ['-n', admin, 'tuntap', 'add', tap, 'mode', 'tap'])
      await run('ip', ['-n', admin, 'link', 'set', tap, 'master', device, 'up'])
    }
  }

  async #namespace(name: string): Promise<void> {
    const full = this.#name(name)
    await run('ip', ['netns', 'add', full])
    // A test run that is interrupted does not dispose of anything.
    const atExit = (): void => {
      spawnSync('sh', ['-c', 'ip netns pids "$1" | xargs -r kill -9; ip netns del "$1"', 'sh', full])
      rmSync(this.folder, { recursive: true, force: true })
    }
    process.once('exit', atExit)
    this.#stack.defer(async () => {
      process.off('exit', atExit)
      await run('ip', ['netns', 'del', full])
    })
    await run('ip', ['-n', full, 'link', 'set', 'lo', 'up'])
  }

  #name(name: string): string {
    return `${this.#prefix}${name}`
  }

  /** Runs a command on a machine, or on `admin`; a failing one is a result, not an error. */
  async run(name: string, command: readonly string[], options: { timeoutMs?: number; cwd?: string } = {}): Promise<CommandResult> {
    const all = ['netns', 'exec', this.#name(name), ...command]
    try {
      const result = await run('ip', all, { timeout: options.timeoutMs ?? 30_000, cwd: options.cwd ?? this.folder, maxBuffer: 1 << 26 })
      return { code: 0, ...result }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string }
      return { code: typeof code === 'number' ? code : -1, stdout, stderr }
    }
  }

  /** Starts a process on a machine, or on `admin`; it is killed at the end. */
  start(name: string, command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#name(name), ...command], { stdio: ['pipe', 'pipe', 'pipe'], cwd: this.folder })
    this.#stack.defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    })
    return child
  }

  /** Starts the boot services on the admin node. */
  async serve(setup: Omit<BootServerSetup, 'leaseFile'>): Promise<RunningBoot> {
    const path = join(this.folder, `setup-${performance.now()}.json`)
    await writeFile(path, JSON.stringify({ leaseFile: join(this.folder, 'leases'), ...setup }))
    const child = this.start('admin', [process.execPath, fileURLToPath(new URL('boot-server-process.ts', import.meta.url)), path])
    const running = new RunningBoot(child)
    await running.said('ready')
    return running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** Boot services in their process, and what they reported. */
export class RunningBoot {
  readonly events: BootEvent[] = []
  readonly #child: ChildProcess
  readonly #words: string[] = []
  #complaint = ''
  #wake = Promise.withResolvers<void>()

  constructor(child: ChildProcess) {
    this.#child = child
    child.stderr?.on('data', (chunk: Buffer) => (this.#complaint += chunk.toString()))
    child.once('exit', () => this.#wake.resolve())
    if (!child.stdout) throw new Error('no output')
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.events.push(JSON.parse(line) as BootEvent)
      else this.#words.push(line)
      this.#wake.resolve()
      this.#wake = Promise.withResolvers<void>()
    })
  }

  /** Waits until the process has said a word. */
  said(word: string): Promise<true> {
    return this.#until(() => (this.#words.includes(word) ? true : undefined), word)
  }

  /** Waits for the first event that fits. */
  event<T extends BootEvent['type']>(type: T, fits: (event: BootEvent & { type: T }) => boolean = () => true): Promise<BootEvent & { type: T }> {
    const isIt = (event: BootEvent): event is BootEvent & { type: T } => event.type === type
    return this.#until(() => this.events.filter(isIt).find(fits), type)
  }

  async #until<T>(look: () => T | undefined, what: string): Promise<T> {
    const deadline = performance.now() + 15_000
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      if (this.#child.exitCode !== null) throw new Error(`the boot services ended before ${what}: ${this.#complaint}`)
      if (performance.now() > deadline) throw new Error(`no ${what} within 15 s; seen ${JSON.stringify(this.events)} ${this.#complaint}`)
      const timeout = Promise.withResolvers<void>()
      const timer = setTimeout(timeout.resolve, 1000)
      await Promise.race([this.#wake.promise, timeout.promise])
      clearTimeout(timer)
    }
  }

  /** Replaces the subnets of the interfaces without a restart. */
  async update(setup: Pick<BootServerSetup, 'interfaces'>): Promise<void> {
    this.#child.stdin?.write(`${JSON.stringify(setup)}\n`)
    await this.said('updated')
  }

  /** Kills the process without warning. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  /** Ends the process in order. */
  async end(): Promise<number | null> {
    const ended = once(this.#child, 'exit')
    this.#child.stdin?.end()
    await ended
    return this.#child.exitCode
  }
}

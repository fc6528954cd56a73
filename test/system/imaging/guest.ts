import { spawn } from 'node:child_process'
import { mkdtemp, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Loopback } from '../../agent/nodes/loopback.ts'

/** The address under which a guest reaches this machine's loopback (QEMU's user network). */
export const HOST = '10.0.2.2'
const MAC = '52:54:00:12:34:56'

/** A disk of a guest; the order given is the order of its bus. */
export interface GuestDisk {
  readonly file: string
  readonly serial: string
}

/** A virtual machine that was started without firmware and network boot. */
export interface Guest extends AsyncDisposable {
  readonly console: () => Promise<string>
}

export interface GuestOptions {
  readonly folder: string
  readonly kernel: string
  readonly initrd: string
  /** Given, the image's node agent connects to it; its server must be named `HOST`. */
  readonly loopback?: Loopback
  readonly disks: readonly GuestDisk[]
  /** More words for its command line. */
  readonly words?: readonly string[]
  /** MiB. */
  readonly memory?: number
}

/** A way into a guest whose node agent was given `HANDS`: scripts run there as root. */
export interface Hands extends AsyncDisposable {
  /** A word of the guest's command line that says where to ask. */
  readonly word: string
  /** Runs a script. @returns what it wrote to its output. */
  run(script: string): Promise<string>
}

/** Text to be put behind the bundle of a node agent: it goes on as it is, and beside it does what it is told here. */
export const HANDS = `
;(async () => {
  const { spawnSync } = await import('node:child_process')
  const { readFileSync } = await import('node:fs')
  const url = /crowbar\\.hands=(\\S+)/.exec(readFileSync('/proc/cmdline', 'utf8'))[1]
  for (;;) {
    const script = await fetch(url).then(answer => (answer.ok ? answer.text() : ''), () => '')
    if (script === '') await new Promise(resolve => setTimeout(resolve, 500))
    else await fetch(url, { method: 'POST', body: spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout })
  }
})()
`

/** Serves scripts to one guest. */
export async function openHands(): Promise<Hands> {
  const waiting: string[] = []
  let said: PromiseWithResolvers<string> | undefined
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      const next = waiting.shift()
      response.writeHead(next === undefined ? 404 : 200).end(next)
      return
    }
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => {
      response.end()
      said?.resolve(text)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    word: `crowbar.hands=http://${HOST}:${(server.address() as AddressInfo).port}/`,
    run(script) {
      said = Promise.withResolvers()
      waiting.push(script)
      return said.promise
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Starts a discovery image, or something like it, with a virtio network and virtio disks. Killed when the scope ends. */
export async function startGuest({ folder, kernel, initrd, loopback, disks, words: more = [], memory = 768 }: GuestOptions): Promise<Guest> {
  const console_ = join(await mkdtemp(join(folder, 'guest-')), 'console')
  const words = ['console=ttyS0,115200', `BOOTIF=01-${MAC.replaceAll(':', '-')}`, ...more]
  if (loopback !== undefined) {
    const token = loopback.enrolment.issue({ kind: 'boot', mac: MAC }, 600)
    words.push(`crowbar.url=${loopback.url.replace('127.0.0.1', HOST)}`, `crowbar.ca=${loopback.identity.fingerprint}`, `crowbar.token=${token}`)
  }
  const machine = spawn('qemu-system-x86_64', [
    '-accel', 'tcg,thread=multi', '-cpu', 'max', '-m', String(memory), '-display', 'none', '-monitor', 'none', '-nodefaults', '-no-reboot', '-device', 'virtio-rng-pci', '-serial', `file:${console_}`,
    '-kernel', kernel, '-initrd', initrd, '-append', words.join(' '),
    '-netdev', 'user,id=n', '-device', `virtio-net-pci,netdev=n,mac=${MAC},romfile=`,
    ...disks.flatMap(({ file, serial }, index) => ['-drive', `if=none,id=d${index},format=raw,file=${file}`, '-device', `virtio-blk-pci,drive=d${index},serial=${serial}`]),
  ], { stdio: 'inherit' })
  const off = new Promise<void>((resolve, reject) => {
    machine.once('error', reject)
    machine.once('close', () => resolve())
  })
  return {
    console: () => readFile(console_, 'latin1').catch(() => ''),
    async [Symbol.asyncDispose]() {
      machine.kill('SIGKILL')
      await off
    },
  }
}

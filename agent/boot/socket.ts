import { spawn } from 'node:child_process'
import { createSocket, Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** Why there is no socket. */
export class BootSocketError extends Error {
  /**
   * `ADDRESS_MISSING`: the machine has not got the address. `DEVICE_REFUSED`: the socket could not be made, the message
   * says why. `DEVICE_AMBIGUOUS`: there is no way to bind to a device here, and more than one that would be heard.
   */
  readonly code: 'BOOT_SOCKET_ADDRESS_MISSING' | 'BOOT_SOCKET_DEVICE_REFUSED' | 'BOOT_SOCKET_DEVICE_AMBIGUOUS'

  constructor(code: BootSocketError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BootSocketError'
    this.code = code
  }
}

/** Which socket: on one device, at an address of it or at `0.0.0.0`, which also hears broadcasts. */
export interface DeviceSocketOptions {
  readonly device: string
  readonly address: string
  readonly port: number
  readonly signal: AbortSignal
  /** Interpreter for the helper; `/usr/bin/perl` unless told. */
  readonly perl?: string
}

const helper = fileURLToPath(new URL('bind-to-device.pl', import.meta.url))
const helperDeadlineMs = 10_000

/**
 * Opens a UDP socket that receives from one network device only and sends through it, with broadcasts allowed.
 *
 * A DHCP server must know where a broadcast came from, or it answers on a network that nobody gave to it. Node cannot
 * say so and cannot bind to a device. What can is asked in this order:
 * 1. a short-lived helper (`bind-to-device.pl`, perl-base is on every Debian) that makes the socket and hands over its
 *    descriptor on Node's own channel; afterwards the socket is Node's alone, and nothing else runs. It needs what Node
 *    itself needs for ports below 1024, CAP_NET_BIND_SERVICE, and nothing for the device (Linux 5.7 or newer).
 * 2. where there is no perl: an ordinary socket, and only if the machine (its network namespace) has no other device
 *    than this one and loopback, since then there is nothing to mistake. Else `BOOT_SOCKET_DEVICE_AMBIGUOUS`.
 *
 * The device needs no carrier: an admin node starts before the machines on its cables do.
 *
 * Whoever wants no helper gives descriptors that systemd bound (`BindToDevice=`) through `dgram`'s `bind({ fd })` in
 * place of this function.
 *
 * A broadcast to 255.255.255.255 leaves through the device, with the socket's own address as its source: send from the
 * socket that is bound to the address, not from the one at `0.0.0.0`, so that replies bear the address that the client
 * will ask again, also if it is the device's second one.
 *
 * @throws {BootSocketError}
 */
export async function openDeviceSocket(options: DeviceSocketOptions): Promise<Socket> {
  const { device, address, port, signal, perl = '/usr/bin/perl' } = options
  const child = spawn(perl, [helper, device, address, String(port)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(helperDeadlineMs)]),
  })
  let complaint = ''
  child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  child.once('message', (_, handle) => {
    if (handle instanceof Socket) resolve(handle)
    else reject(new BootSocketError('BOOT_SOCKET_DEVICE_REFUSED', 'the helper sent no socket'))
    child.disconnect()
  })
  child.once('error', reject)
  child.once('close', (code) => {
    const isMissing = complaint.includes('Cannot assign requested address')
    const reason = isMissing ? 'BOOT_SOCKET_ADDRESS_MISSING' : 'BOOT_SOCKET_DEVICE_REFUSED'
    reject(new BootSocketError(reason, `${device}: ${complaint.trim() || `helper ended with ${code}`}`))
  })
  try {
    return await promise
  } catch (error) {
    signal.throwIfAborted()
    if (!isMissingProgram(error)) throw error
    return openOnlyDevice(options)
  }
}

function isMissingProgram(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** An ordinary socket, where there is only one device that it can hear. */
async function openOnlyDevice({ device, address, port }: DeviceSocketOptions): Promise<Socket> {
  const table = await readFile('/proc/net/dev', 'latin1')
  const devices = Array.from(table.matchAll(/^ *([^ :]+):/gm), ([, name]) => name)
  const others = devices.filter((name) => name !== device && name !== 'lo')
  if (others.length > 0) {
    const message = `cannot bind to ${device} alone without perl, and ${others.join(', ')} would be heard too`
    throw new BootSocketError('BOOT_SOCKET_DEVICE_AMBIGUOUS', message)
  }
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    socket.bind({ address, port, exclusive: true })
    await once(socket, 'listening')
    socket.setBroadcast(true)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { needDebianPackages } from '../debian-packages.ts'
import { BootLink } from './boot-link.ts'

let link: BootLink
beforeAll(() => needDebianPackages(['iproute2', 'perl-base']))
beforeEach(async () => {
  link = await BootLink.open()
  await link.connect('m1', { device: 'eth1', address: '192.168.124.10/24', machineAddress: '192.168.124.21/24' })
})
afterEach(() => link[Symbol.asyncDispose]())

/** Opens a socket on the admin node; prints its address, or the code and message of the error. */
async function open(options: Readonly<Record<string, unknown>>): Promise<string> {
  const module = fileURLToPath(new URL('../../../agent/boot/socket.ts', import.meta.url))
  const code = `
    import { openDeviceSocket } from ${JSON.stringify(module)}
    try {
      const socket = await openDeviceSocket({ ...${JSON.stringify(options)}, signal: AbortSignal.timeout(5000) })
      console.log(JSON.stringify(socket.address()))
      socket.close()
    } catch (error) {
      console.log(error.code, error.message)
    }`
  const { stdout, stderr } = await link.run('admin', [process.execPath, '--input-type=module', '-e', code])
  return stdout.trim() || stderr
}

test('a socket is bound to its device by the helper, which is gone afterwards', async () => {
  expect(await open({ device: 'eth1', address: '0.0.0.0', port: 67 })).toBe('{"address":"0.0.0.0","family":"IPv4","port":67}')
})

test('an address or a device that is not there is named', async () => {
  expect(await open({ device: 'eth1', address: '192.168.1.1', port: 67 })).toMatch(/^BOOT_SOCKET_ADDRESS_MISSING eth1: bind to 192.168.1.1:67/)
  expect(await open({ device: 'eth9', address: '0.0.0.0', port: 67 })).toBe('BOOT_SOCKET_DEVICE_REFUSED eth9: bind to device eth9: No such device')
})

test('a device name cannot become anything but a name', async () => {
  expect(await open({ device: '$(reboot)', address: '0.0.0.0', port: 67 })).toMatch(/^BOOT_SOCKET_DEVICE_REFUSED/)
})

test('without perl the only device is served, and one of two is refused', async () => {
  const without = { device: 'eth1', address: '0.0.0.0', port: 67, perl: '/nonexistent/perl' }
  expect(await open(without)).toContain('"port":67')
  await link.connect('m2', { device: 'eth2', address: '192.168.125.10/24' })
  expect(await open(without)).toBe('BOOT_SOCKET_DEVICE_AMBIGUOUS cannot bind to eth1 alone without perl, and eth2 would be heard too')
})

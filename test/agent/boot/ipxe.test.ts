import { expect, test } from 'vitest'
import { ipxeScript } from '../../../agent/boot/ipxe.ts'

const where = { base: 'http://192.168.124.10', self: 'http://192.168.124.10/boot/52-54-00-00-00-01/ipxe?arch=7' }
const discovery = { kind: 'discovery', kernel: '/artifacts/sha256/aa', initrd: '/boot/files/initrd', commandLine: 'console=ttyS0 token=abc' } as const

test('discovery loads kernel and initrd, and asks again after a failure', () => {
  expect(ipxeScript(discovery, where)).toBe(
    [
      '#!ipxe',
      'goto boot',
      ':retry',
      'echo Cannot boot; asking again in 5 seconds',
      'sleep 5',
      'imgfree',
      'chain --replace --autofree http://192.168.124.10/boot/52-54-00-00-00-01/ipxe?arch=7 || goto retry',
      ':boot',
      'kernel http://192.168.124.10/artifacts/sha256/aa initrd=initrd console=ttyS0 token=abc || goto retry',
      'initrd --name initrd http://192.168.124.10/boot/files/initrd || goto retry',
      'boot || goto retry',
      '',
    ].join('\n'),
  )
})

test('local leaves iPXE for the disk', () => {
  expect(ipxeScript({ kind: 'local' }, where)).toBe(
    '#!ipxe\necho Booting from the local disk\niseq ${platform} efi && goto efi ||\n' +
    ['80', '81', '82', '83', '84', '85', '86', '87'].map(drive => `sanboot --no-describe --drive 0x${drive} ||\n`).join('') + 'exit 1\n' +
      ':efi\nchain --replace --autofree http://192.168.124.10/boot/files/local-${buildarch}.efi ||\nsleep 5\nchain --replace --autofree http://192.168.124.10/boot/52-54-00-00-00-01/ipxe?arch=7 || goto efi\n',
  )
})

test('the reason of a hold cannot become a command', () => {
  const script = ipxeScript({ kind: 'hold', reason: 'a\nchain http://x ; shell || reboot ${net0/mac}' }, where)
  expect(script.split('\n')[2]).toBe('echo This machine is on hold: a chain http://x shell reboot {net0/mac}')
})

test.each(['a\nb', 'a ${net0/mac}', 'a || shell', 'a ; shell', 'a && shell', 'ä'])('the command line %j is refused', (commandLine) => {
  expect(() => ipxeScript({ ...discovery, commandLine }, where)).toThrow(RangeError)
})

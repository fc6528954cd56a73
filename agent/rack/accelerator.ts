import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type Accelerator = 'kvm' | 'tcg'

/** How long a Linux guest may take to print its first line. A working KVM takes less than half a second. */
const DEADLINE_MS = 5_000

/**
 * Says whether guests really run under KVM here, by starting one.
 *
 * /dev/kvm that opens and answers is not enough: inside some virtual machines a guest is created, runs a few real-mode
 * instructions, and then hangs. So the probe boots a kernel and waits for what it prints.
 *
 * @param options.kernel path of a Linux kernel that prints to ttyS0.
 * @param options.folder for the console file `kvm-probe.log`.
 * @returns 'kvm' when the guest printed, else 'tcg'. Never throws for a KVM that does not work.
 */
export async function chooseAccelerator(options: { readonly kernel: string; readonly folder: string; readonly signal: AbortSignal }): Promise<Accelerator> {
  const console = join(options.folder, 'kvm-probe.log')
  const qemu = spawn('qemu-system-x86_64', [
    '-accel', 'kvm', '-m', '256', '-display', 'none', '-nodefaults', '-net', 'none', '-no-reboot',
    '-kernel', options.kernel, '-append', 'console=ttyS0 panic=-1', '-serial', `file:${console}`,
  ], { stdio: 'ignore' })
  let ended = false
  const exit = new Promise<void>(resolve => {
    qemu.once('error', () => resolve())
    qemu.once('exit', () => resolve())
  }).then(() => {
    ended = true
  })
  try {
    for (let waited = 0; waited < DEADLINE_MS && !ended; waited += 100) {
      await sleep(100, undefined, { signal: options.signal })
      if ((await readFile(console, 'latin1').catch(() => '')).includes('Linux version')) return 'kvm'
    }
    return 'tcg'
  } finally {
    qemu.kill('SIGKILL')
    await exit
  }
}

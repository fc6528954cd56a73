import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Accelerator } from './accelerator.ts'
import { hashDiskFile, makeDiskFile } from './disk-file.ts'
import type { MachineSpec, VirtualDisk } from './machines.ts'
import { RackError } from './rack-error.ts'
import type { RackMachine } from './rack-machine.ts'

const OVMF_CODE = '/usr/share/OVMF/OVMF_CODE_4M.fd'
const OVMF_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd'

export interface VirtualMachineOptions {
  /** For disks and firmware variables. */
  readonly folder: string
  /** Ends the making of disks. */
  readonly signal: AbortSignal
  /** For what it prints. */
  readonly consoleFolder: string
  readonly accelerator: Accelerator
  /** One tap for each NIC, in order, attached to a bridge by the caller. */
  readonly taps: readonly string[]
  /** Told when QEMU ends without having been told to, with its exit status and what it said. */
  readonly onDeath: (error: RackError) => void
}

/**
 * Makes a virtual machine, switched off, with its disks. It boots as hardware does: from the network first, then from its
 * first disk. Disks and firmware variables outlive a power cut.
 */
export async function makeVirtualMachine(spec: MachineSpec, options: VirtualMachineOptions): Promise<RackMachine> {
  const canaries: { file: string; serial: string; sha256: string }[] = []
  for (const [index, disk] of spec.disks.entries()) {
    const file = diskPath(options.folder, spec.name, index)
    await makeDiskFile(file, { disk, signal: options.signal })
    if (disk.canary) {
      const sha256 = await hashDiskFile(file)
      canaries.push({ file, serial: disk.serial, sha256 })
    }
  }
  const variables = join(options.folder, `${spec.name}.efivars`)
  if (spec.firmware === 'uefi') {
    await copyFile(OVMF_VARIABLES, variables).catch((cause: unknown) => {
      throw new RackError('RACK_NO_FIRMWARE', `cannot copy ${OVMF_VARIABLES}: is the Debian package ovmf installed?`, { cause })
    })
  }
  const consoleFile = join(options.consoleFolder, `${spec.name}.console.log`)
  const argv = qemuArguments(spec, { ...options, variables, consoleFile })
  let process: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()

  const powerOn = (): Promise<void> => {
    if (process !== undefined) return Promise.resolve()
    const child = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
    process = child
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-2000)
    })
    ended = new Promise(resolve => {
      const end = (how: string): void => {
        if (process === child) {
          process = undefined
          options.onDeath(new RackError('RACK_MACHINE_DIED', `the virtual machine ${spec.name} ended by itself (${how}): ${said.trim()}`))
        }
        resolve()
      }
      child.once('error', error => end(error.message))
      child.once('exit', (code, signal) => end(String(code ?? signal)))
    })
    return Promise.resolve()
  }
  const powerOff = async (): Promise<void> => {
    const child = process
    process = undefined
    child?.kill('SIGKILL')
    await ended
  }
  return {
    name: spec.name,
    consoleFile,
    canaries,
    get running() {
      return process !== undefined
    },
    powerOn,
    powerOff,
    [Symbol.asyncDispose]: powerOff,
  }
}

/** The file behind a disk of a machine, counted from 0. */
export function diskPath(folder: string, machine: string, index: number): string {
  return join(folder, `${machine}.disk${index}.raw`)
}

/**
 * The command line of a machine. BIOS machines network-boot with the ROM that QEMU brings for their NIC; UEFI machines
 * with the firmware's own PXE client (`romfile=` takes the ROM away), as most real ones do. The firmware has a driver for
 * virtio only; other ports need their ROM, and boot as ports with iPXE in them do.
 */
export function qemuArguments(
  spec: MachineSpec,
  options: { readonly folder: string; readonly accelerator: Accelerator; readonly taps: readonly string[]; readonly variables: string; readonly consoleFile: string },
): string[] {
  const argv = [
    '-name', spec.name,
    '-machine', spec.firmware === 'uefi' ? 'q35' : 'pc',
    '-accel', options.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi',
    '-cpu', options.accelerator === 'kvm' ? 'host' : 'max',
    '-smp', String(spec.cores),
    '-m', String(spec.memory),
    '-uuid', spec.uuid,
    '-smbios', `type=1,manufacturer=Crowbar,product=Virtual rack,serial=${escape(spec.serial)},uuid=${spec.uuid}`,
    '-display', 'none',
    '-nodefaults',
    '-rtc', 'base=utc',
    '-device', 'virtio-rng-pci',
    // Appended to, so that one file tells the machine's whole life.
    '-chardev', `file,id=console,path=${options.consoleFile},append=on`,
    '-serial', 'chardev:console',
  ]
  if (spec.firmware === 'uefi') {
    argv.push('-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${OVMF_CODE}`, '-drive', `if=pflash,format=raw,unit=1,file=${options.variables}`)
  }
  for (const [index, nic] of spec.nics.entries()) {
    const model = nic.model === 'virtio' ? 'virtio-net-pci' : nic.model
    argv.push('-netdev', `tap,id=net${index},ifname=${options.taps[index] ?? ''},script=no,downscript=no`)
    argv.push('-device', `${model},netdev=net${index},mac=${nic.mac}${index === 0 ? ',bootindex=1' : ''}${spec.firmware === 'uefi' && nic.model === 'virtio' ? ',romfile=' : ''}`)
  }
  if (spec.disks.some(disk => disk.bus === 'scsi')) argv.push('-device', 'virtio-scsi-pci,id=scsi')
  if (spec.disks.some(disk => disk.bus === 'sata')) argv.push('-device', 'ahci,id=sata')
  for (const [index, disk] of spec.disks.entries()) {
    argv.push('-drive', `if=none,id=disk${index},format=raw,cache=writeback,discard=unmap,file=${diskPath(options.folder, spec.name, index)}`)
    argv.push('-device', `${diskDevice(disk, index)},drive=disk${index},serial=${disk.serial},bootindex=${index + 2}`)
  }
  return argv
}

function diskDevice(disk: VirtualDisk, index: number): string {
  switch (disk.bus) {
    case 'virtio': return 'virtio-blk-pci'
    case 'nvme': return 'nvme'
    case 'sata': return `ide-hd,bus=sata.${index}`
    case 'scsi': return 'scsi-hd,bus=scsi.0'
  }
}

/** QEMU doubles commas inside an option's value. */
function escape(text: string): string {
  return text.replaceAll(',', ',,')
}

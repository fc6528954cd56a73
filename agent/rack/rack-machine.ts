/** One machine of a rack, real to whoever looks from the network: a virtual machine, or a container that stands for one. */
export interface RackMachine extends AsyncDisposable {
  /** Unique in the rack; disturbances and console files go by it. */
  readonly name: string
  /** What it printed since it was made, over all its boots. */
  readonly consoleFile: string
  /** The canary disks, with the SHA-256 of their bytes before the first boot, hex. */
  readonly canaries: readonly { readonly file: string; readonly serial: string; readonly sha256: string }[]
  /** True from `powerOn` until it ends, also by itself. */
  readonly running: boolean
  powerOn(): Promise<void>
  /** Pulls the plug: nothing is flushed, memory is gone, disks stay. Settles when it is off. */
  powerOff(): Promise<void>
}

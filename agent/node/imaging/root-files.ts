import { lstat, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { InstallDocument } from '../../../schemas/install.ts'
import type { Attachment } from '../../../schemas/plan.ts'
import type { Volume } from './make-filesystem.ts'
import { networkFiles } from './network-files.ts'

/** A file of the new system; `link` is the target of a symbolic link instead of text. */
export interface RootFile {
  readonly path: string
  readonly mode: number
  readonly text: string
}

/** What is written into a new system so that it knows who it is. Pure. */
export function identityFiles(
  install: Pick<InstallDocument, 'hostname' | 'domain' | 'attachments'>,
  { volumes, bootPort, machineId }: { readonly volumes: readonly Volume[]; readonly bootPort: string | undefined; readonly machineId: string },
): RootFile[] {
  const attachments = (install.attachments ?? []) as readonly Attachment[]
  const file = (path: string, text: string): RootFile => ({ path, mode: 0o644, text })
  return [
    file('etc/hostname', `${install.hostname}\n`),
    file('etc/hosts', hosts(install, attachments)),
    file('etc/fstab', fstab(volumes)),
    file('etc/resolv.conf', resolvers(install.domain, attachments)),
    file('etc/machine-id', `${machineId}\n`),
    ...networkFiles(attachments, { bootPort }).map(({ name, text }) => file(`etc/systemd/network/${name}`, text)),
  ]
}

/** Writes files below a root. What stands there is replaced, a link by a file and not through it. */
export async function writeRootFiles(root: string, files: readonly RootFile[]): Promise<void> {
  for (const { path, mode, text } of files) {
    const target = join(root, path)
    await mkdir(dirname(target), { recursive: true })
    if (await lstat(target).then((found) => found.isSymbolicLink(), () => false)) await rm(target)
    await writeFile(target, text, { mode })
  }
}

/** Enables units of systemd as `systemctl enable` does, without a running systemd. */
export async function enableUnits(root: string, units: readonly { readonly unit: string; readonly file: string; readonly wantedBy: string }[]): Promise<void> {
  for (const { unit, file, wantedBy } of units) {
    const link = join(root, 'etc/systemd/system', `${wantedBy}.wants`, unit)
    await mkdir(dirname(link), { recursive: true })
    await rm(link, { force: true })
    await symlink(file, link)
  }
}

function hosts({ hostname, domain }: Pick<InstallDocument, 'hostname' | 'domain'>, attachments: readonly Attachment[]): string {
  const names = domain === '' ? hostname : `${hostname}.${domain} ${hostname}`
  // The host's own name leads to an address that others can reach: services that announce it would else announce loopback.
  const own = attachments.flatMap(({ addresses }) => addresses.map(({ address }) => address)).slice(0, 1)
  return [
    '127.0.0.1 localhost', ...(own.length === 0 ? ['127.0.1.1'] : own).map((address) => `${address} ${names}`),
    '::1 localhost ip6-localhost ip6-loopback', 'ff02::1 ip6-allnodes', 'ff02::2 ip6-allrouters', '',
  ].join('\n')
}

function fstab(volumes: readonly Volume[]): string {
  const lines = volumes
    .filter(({ mount, uuid }) => mount !== null && uuid !== '')
    .toSorted((a, b) => ((a.mount ?? '') < (b.mount ?? '') ? -1 : 1))
    .map(({ mount, fs, uuid }) => {
      if (mount === 'swap') return `UUID=${uuid} none swap sw 0 0`
      // A machine whose firmware partition is damaged still starts.
      const options = fs === 'vfat' ? 'umask=0077,nofail' : mount === '/' && fs === 'ext4' ? 'errors=remount-ro' : 'defaults'
      return `UUID=${uuid} ${mount} ${fs} ${options} 0 ${fs === 'ext4' ? (mount === '/' ? 1 : 2) : 0}`
    })
  return `${lines.join('\n')}\n`
}

function resolvers(domain: string, attachments: readonly Attachment[]): string {
  const servers = [...new Set(attachments.flatMap(({ addresses }) => addresses.flatMap(({ dns }) => dns)))]
  // The resolver of the C library reads three of them (resolv.conf(5)).
  return [...(domain === '' ? [] : [`search ${domain}`]), ...servers.slice(0, 3).map((server) => `nameserver ${server}`), ''].join('\n')
}

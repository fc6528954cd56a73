import { ansibleFiles, ansibleInventory } from './ansible.ts'
import { cfengineFiles, keptByCfengine } from './cfengine.ts'
import { chefFiles } from './chef.ts'
import type { Cluster } from './cluster.ts'
import type { ExportedFile, ExportInput } from './exported-file.ts'
import { hostsFile, sshConfig } from './names.ts'
import { puppetFiles } from './puppet.ts'
import { saltFiles } from './salt.ts'

const EXPORTS: { readonly [target: string]: (input: ExportInput) => readonly ExportedFile[] } = {
  ansible: ansibleFiles,
  'ansible-json': ({ cluster }) => [{ path: 'inventory.json', text: `${JSON.stringify(ansibleInventory(cluster), null, 2)}\n` }],
  puppet: puppetFiles,
  chef: chefFiles,
  salt: saltFiles,
  cfengine: cfengineFiles,
  hosts: ({ cluster }) => [{ path: 'hosts', text: hostsFile(cluster) }],
  ssh: ({ cluster }) => [{ path: 'ssh_config', text: sshConfig(cluster) }],
}

export const EXPORT_TARGETS: readonly string[] = Object.keys(EXPORTS)

/**
 * A cluster in the form that a configuration tool reads. Pure; sorted by path, the same cluster gives the same bytes.
 *
 * @returns undefined for a target that there is not.
 */
export function exportCluster(target: string, input: ExportInput): readonly ExportedFile[] | undefined {
  const files = Object.hasOwn(EXPORTS, target) ? EXPORTS[target]?.(input) : undefined
  return files?.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** The cluster without what a tool cannot be given as it is; `leftOut` has that too. */
export function keptBy(target: string, cluster: Cluster): Cluster {
  return target === 'cfengine' ? keptByCfengine(cluster) : cluster
}

import type { Cluster, ExportedNode } from './cluster.ts'

/** Lines for /etc/hosts: every address of every node; the name without a network is the one on the admin network. */
export function hostsFile({ nodes, site }: Cluster): string {
  const lines = nodes.flatMap((node) => Object.entries(node.addresses).map(([network, address]) => {
    const names = address === node.address ? [node.fqdn, node.name] : []
    return `${address}\t${[...names, `${node.name}-${network}`].join(' ')}`
  }))
  return [`# Nodes of ${site}.`, ...lines, ''].join('\n')
}

/** A section for ssh_config(5) for each node that has an address on the admin network. */
export function sshConfig({ nodes, site }: Cluster): string {
  const reachable = nodes.filter((node): node is ExportedNode & { readonly address: string } => node.address !== null)
  return [`# Nodes of ${site}.`, ...reachable.map(({ name, fqdn, address }) => `Host ${name} ${fqdn}\n    HostName ${address}\n    User root\n    HostKeyAlias ${fqdn}`), ''].join('\n')
}

/** A name as Ansible and Puppet allow it: letters, digits and `_`, no digit first. */
export function wordOf(name: string): string {
  const word = name.replaceAll(/[^A-Za-z0-9_]/g, '_')
  return /^[A-Za-z_]/.test(word) ? word : `_${word}`
}

import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { commentedYaml } from './commented-yaml.ts'
import type { ExportedFile, ExportInput } from './exported-file.ts'
import { wordOf } from './names.ts'

/** Pillar data by minion, a top file, grains and a roster for salt-ssh. Minions are named by their full names. */
export function saltFiles({ cluster }: ExportInput): readonly ExportedFile[] {
  const sls = (name: string): string => wordOf(name).toLowerCase()
  const roster: Json = Object.fromEntries(cluster.nodes.flatMap(({ fqdn, address }) => (address === null ? [] : [[fqdn, { host: address, user: 'root' }]])))
  const top: Json = { base: Object.fromEntries(cluster.nodes.map(({ name, fqdn }) => [fqdn, [`nodes.${sls(name)}`]])) }
  const plain = { unsafe: 'none', comment: (): undefined => undefined } as const
  return [
    { path: 'pillar/top.sls', text: `#!yaml\n${commentedYaml(top as { readonly [key: string]: Json }, plain)}` },
    { path: 'roster', text: `#!yaml\n${commentedYaml(roster as { readonly [key: string]: Json }, plain)}` },
    ...cluster.nodes.flatMap((node): ExportedFile[] => [
      // The json renderer alone: what looks like a template in a value stays as it is.
      { path: `pillar/nodes/${sls(node.name)}.sls`, text: `#!json\n${canonical({ ...node.attributes, crowbar_roles: Object.fromEntries(node.roles.map(({ key, document }) => [key, document ?? {}])) })}\n` },
      { path: `grains/${node.fqdn}`, text: commentedYaml({ crowbar: { site: cluster.site, node: node.name, os: node.os, tags: node.tags, labels: node.labels, roles: node.roles.map(({ key }) => key) } }, plain) },
    ]),
  ]
}

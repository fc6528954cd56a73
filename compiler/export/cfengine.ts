import { cfengineProblem } from '../../schemas/cfengine-value.ts'
import { agreed, without } from './cluster.ts'
import type { Cluster, Document, LeftOut } from './cluster.ts'
import type { ExportedFile, ExportInput } from './exported-file.ts'
import { wordOf } from './names.ts'

/**
 * Augments (`def.json`) for each host: `$(def.<barclamp>[<attribute>])`, classes for its roles, tags and os. What cf-agent
 * would change is left out.
 */
export function cfengineFiles({ cluster }: ExportInput): readonly ExportedFile[] {
  return keptByCfengine(cluster).nodes.map((node): ExportedFile => {
    const names = [...node.roles.map(({ name }) => `role_${name}`), ...node.tags.map((tag) => `tag_${tag}`), ...(node.os === null ? [] : [`os_${node.os}`])]
    const vars = {
      ...Object.fromEntries(Object.entries(node.attributes).map(([name, value]) => [wordOf(name), value])),
      crowbar_node: { name: node.name, addresses: node.addresses, tags: node.tags, labels: node.labels, os: node.os },
      crowbar_roles: Object.fromEntries(node.roles.map(({ key, document }) => [key, document ?? {}])),
    }
    return { path: `${node.fqdn}/def.json`, text: `${JSON.stringify({ classes: Object.fromEntries([...new Set(names.map(wordOf))].toSorted().map((name) => [name, ['any']])), vars }, null, 2)}\n` }
  })
}

/** The cluster without the values that cf-agent would change, which are among those left out then. */
export function keptByCfengine(cluster: Cluster): Cluster {
  const leftOut: LeftOut[] = []
  const kept = (value: Document, node: string, role: string): Document => without(value, cfengineProblem, (pointer, problem) => void leftOut.push({ node, role, path: pointer.join('.'), because: `it ${problem}` })) as Document
  const nodes = cluster.nodes.map((node) => {
    const roles = node.roles.map((role) => ({ ...role, document: role.document === null ? null : kept(role.document, node.name, role.key) }))
    return { ...node, labels: kept(node.labels, node.name, 'labels') as typeof node.labels, roles, attributes: agreed(roles).attributes }
  })
  return { ...cluster, nodes, leftOut: [...cluster.leftOut, ...leftOut] }
}

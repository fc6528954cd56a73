import type { ExportedFile, ExportInput } from './exported-file.ts'
import { wordOf } from './names.ts'

/**
 * Augments (`def.json`) for each host: `$(def.<barclamp>[<attribute>])`, classes for its roles, tags and os. cf-agent
 * expands references in values, and there is no way to quote them.
 */
export function cfengineFiles({ cluster }: ExportInput): readonly ExportedFile[] {
  return cluster.nodes.map((node): ExportedFile => {
    const names = [...node.roles.map(({ name }) => `role_${name}`), ...node.tags.map((tag) => `tag_${tag}`), ...(node.os === null ? [] : [`os_${node.os}`])]
    const vars = {
      ...Object.fromEntries(Object.entries(node.attributes).map(([name, value]) => [wordOf(name), value])),
      crowbar_node: { name: node.name, addresses: node.addresses, tags: node.tags, labels: node.labels, os: node.os },
      crowbar_roles: Object.fromEntries(node.roles.map(({ key, document }) => [key, document ?? {}])),
    }
    return { path: `${node.fqdn}/def.json`, text: `${JSON.stringify({ classes: Object.fromEntries([...new Set(names.map(wordOf))].toSorted().map((name) => [name, ['any']])), vars }, null, 2)}\n` }
  })
}

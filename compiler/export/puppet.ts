import type { Json } from '../../schemas/shape.ts'
import type { Document, ExportedNode } from './cluster.ts'
import { commentedYaml } from './commented-yaml.ts'
import type { ExportedFile, ExportInput } from './exported-file.ts'
import { wordOf } from './names.ts'

/**
 * Hiera 5 data by certificate name, with `<barclamp>::<attribute>` for parameters of classes, and an external node
 * classifier (`enc`) whose parameters say what a node is. `crowbar_roles` has the document of each role.
 */
export function puppetFiles({ cluster }: ExportInput): readonly ExportedFile[] {
  const hiera: Json = { version: 5, defaults: { datadir: 'data', data_hash: 'yaml_data' }, hierarchy: [{ name: 'node', path: 'nodes/%{trusted.certname}.yaml' }] }
  return [
    { path: 'hiera.yaml', text: commentedYaml(hiera as Document, { unsafe: 'none', comment: () => undefined }) },
    { path: 'enc', text: ENC, executable: true },
    ...cluster.nodes.flatMap((node): ExportedFile[] => [
      { path: `data/nodes/${node.fqdn}.yaml`, text: dataText(node) },
      { path: `enc.d/${node.fqdn}.yaml`, text: commentedYaml(classification(node, cluster.site), { unsafe: 'none', comment: () => undefined }) },
    ]),
  ]
}

/** Names that a lookup does not take apart: a dot goes into a value. */
const PARAMETER = /^[^.'"]+$/

const ENC = `#!/bin/sh
# External node classifier: node_terminus = exec, external_nodes = this file.
case \${1-} in ''|*/*|.*) echo "usage: enc CERTNAME" >&2; exit 64 ;; esac
exec cat "$(dirname "$0")/enc.d/$1.yaml"
`

function classification(node: ExportedNode, site: string): Document {
  const { name, addresses, tags, labels, os, roles } = node
  return { classes: {}, parameters: { crowbar_site: site, crowbar_node: name, crowbar_addresses: addresses, crowbar_tags: tags, crowbar_labels: labels, crowbar_os: os, crowbar_role_keys: roles.map(({ key }) => key) } }
}

function dataText(node: ExportedNode): string {
  const owner = new Map(node.roles.toReversed().map((role) => [wordOf(role.barclamp), role]))
  const data: Record<string, Json> = {}
  for (const [barclamp, value] of Object.entries(node.attributes)) {
    const word = wordOf(barclamp)
    data[word] = literal(value)
    for (const [key, child] of Object.entries(value as Document)) if (PARAMETER.test(key)) data[`${word}::${key}`] = literal(child)
  }
  data['crowbar_roles'] = literal(Object.fromEntries(node.roles.map(({ key, document }) => [key, document ?? {}])))
  return commentedYaml(data, {
    unsafe: 'none',
    comment([first, ...rest]) {
      const [word = '', key] = String(first).split('::')
      const role = owner.get(word)
      return role?.place([role.barclamp, ...(key === undefined ? rest : [key, ...rest])])
    },
  })
}

/** Hiera looks up what stands in `%{…}`; this is how that is written as text. */
function literal(value: Json): Json {
  if (typeof value === 'string') return value.replaceAll('%{', "%{literal('%')}{")
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return (value as readonly Json[]).map(literal)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key.replaceAll('%{', "%{literal('%')}{"), literal(child)]))
}

import { byCodePoint } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Cluster, Document, ExportedNode, ExportedRole } from './cluster.ts'
import { commentedYaml } from './commented-yaml.ts'
import type { ExportedFile, ExportInput } from './exported-file.ts'
import { wordOf } from './names.ts'

/** Names that Ansible has taken. */
const RESERVED: ReadonlySet<string> = new Set(['all', 'ungrouped'])

/** The variable that has the document of each role, by `deployment/role`. */
const ROLES = 'crowbar_roles'

/**
 * An inventory as a tree: `hosts.yml` with groups by role, deployment, tag and os, `host_vars/` with every value and where
 * it was said; the playbooks of roles with the jig ansible, and `site.yml`, which runs them in plan order.
 */
export function ansibleFiles({ cluster, contentOf }: ExportInput): readonly ExportedFile[] {
  const files: ExportedFile[] = [
    { path: 'hosts.yml', text: `# Nodes of ${cluster.site}.\n${commentedYaml({ all: { hosts: hostsOf(cluster), children: groupsAsTree(cluster) } }, { unsafe: 'templates', comment: () => undefined })}` },
    { path: 'inventory', text: INVENTORY, executable: true },
  ]
  for (const node of cluster.nodes) files.push({ path: `host_vars/${node.name}.yml`, text: hostVarsText(node, cluster) })
  const played = cluster.order.flatMap((key) => cluster.nodes.flatMap(({ roles }) => roles).find((role) => role.key === key && role.jig === 'ansible' && role.entry !== null) ?? [])
  const barclamps = new Set<string>()
  for (const { barclamp, content } of played) {
    if (content === null || barclamps.has(barclamp)) continue
    barclamps.add(barclamp)
    for (const { path, bytes, executable } of contentOf(content)) files.push({ path: `barclamps/${barclamp}/${path}`, text: bytes, ...(executable ? { executable } : {}) })
  }
  const folders = (name: string): string => [...barclamps].toSorted(byCodePoint).map((barclamp) => `barclamps/${barclamp}/${name}`).join(':')
  files.push({ path: 'ansible.cfg', text: `[defaults]\ninventory = hosts.yml\nroles_path = ${folders('roles')}\nlibrary = ${folders('library')}\n` })
  if (played.length > 0) files.push({ path: 'site.yml', text: `# The roles of ${cluster.site} that Ansible carries out, in the order of the plan.\n${played.map(playText).join('')}` })
  return files
}

/** What a dynamic inventory prints for `--list`. */
export function ansibleInventory(cluster: Cluster): Json {
  const groups = groupsOf(cluster)
  const grouped = new Set([...groups.values()].flat())
  return {
    _meta: { hostvars: Object.fromEntries(cluster.nodes.map((node) => [node.name, { ...hostsOf(cluster)[node.name] as Document, ...hostVars(node) }])) },
    all: { children: [...groups.keys(), 'ungrouped'] },
    ungrouped: { hosts: cluster.nodes.map(({ name }) => name).filter((name) => !grouped.has(name)) },
    ...Object.fromEntries([...groups].map(([name, hosts]) => [name, { hosts }])),
  }
}

const INVENTORY = `#!/bin/sh
# A dynamic inventory: CROWBAR_SITE names the folder or repository of the site. With _meta, --host is never asked.
case \${1-} in
  --host) echo '{}' ;;
  *) exec crowbar export --to ansible-json --site "\${CROWBAR_SITE:-.}" ;;
esac
`

function hostsOf({ nodes }: Cluster): { readonly [name: string]: Json } {
  return Object.fromEntries(nodes.map(({ name, address }) => [name, address === null ? {} : { ansible_host: address }]))
}

function groupsOf({ nodes }: Cluster): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const node of nodes) {
    const names = [...node.roles.flatMap(({ name, deployment }) => [name, deployment]), ...node.tags, ...(node.os === null ? [] : [node.os])]
    for (const group of new Set(names.map(wordOf))) {
      if (!RESERVED.has(group)) groups.set(group, [...(groups.get(group) ?? []), node.name])
    }
  }
  return new Map([...groups].toSorted(([a], [b]) => byCodePoint(a, b)))
}

function groupsAsTree(cluster: Cluster): Json {
  return Object.fromEntries([...groupsOf(cluster)].map(([group, names]) => [group, { hosts: Object.fromEntries(names.map((name) => [name, {}])) }]))
}

/** Barclamps of the node, and the whole document of each of its roles. */
function hostVars(node: ExportedNode): Document {
  const attributes = Object.fromEntries(Object.entries(node.attributes).map(([name, value]) => [wordOf(name), value]))
  return { ...attributes, [ROLES]: Object.fromEntries(node.roles.map(({ key, document }) => [key, variables(document ?? {})])) }
}

function variables(document: Document): Document {
  return Object.fromEntries(Object.entries(document).map(([name, value]) => [wordOf(name), value]))
}

function hostVarsText(node: ExportedNode, { leftOut }: Cluster): string {
  const ofBarclamp = new Map(node.roles.toReversed().map((role) => [wordOf(role.barclamp), role]))
  const byKey = new Map(node.roles.map((role) => [role.key, role]))
  const text = commentedYaml(hostVars(node), {
    unsafe: 'templates',
    comment([first, second, third, ...rest]) {
      if (first !== ROLES) return placeIn(ofBarclamp.get(String(first)), [second, third, ...rest].filter((key) => key !== undefined))
      const role = byKey.get(String(second))
      return third === 'wants' ? role?.place(['wants', ...rest]) : third === wordOf(role?.barclamp ?? '') ? placeIn(role, rest) : undefined
    },
  })
  const missing = leftOut.filter((one) => one.node === node.name).map(({ role, path, because }) => `# left out: ${role}${path === '' ? '' : ` ${path}`}: ${because}\n`)
  const differing = node.differing.map((name) => `# ${name} differs between roles of this node: see ${ROLES}\n`)
  return [...missing, ...differing, text].join('')
}

function placeIn(role: ExportedRole | undefined, path: readonly (string | number)[]): string | undefined {
  return role?.place([role.barclamp, ...path])
}

function playText({ key, barclamp, entry, document }: ExportedRole): string {
  const names = [...new Set([barclamp, 'wants', 'crowbar', ...Object.keys(document ?? {})].map(wordOf))].toSorted(byCodePoint)
  const vars = names.map((name) => `    ${name}: "{{ ${ROLES}['${key}'].${name} | default({}) }}"\n`).join('')
  // A playbook names the same hosts in each deployment of its role: here it runs on the nodes of this one.
  return `- name: "${key}"\n  import_playbook: "barclamps/${barclamp}/${entry}"\n  when: "'${key}' in (${ROLES} | default({}))"\n  vars:\n${vars}`
}

import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { documentsText } from './document-text.ts'
import type { Estate, Host, ImportedFile } from './estate.ts'
import type { ImportContext } from './import-context.ts'
import { nodeNames, roleNames } from './names.ts'
import { Attributes } from './sourced.ts'
import type { Sourced } from './sourced.ts'

interface DocumentFields {
  readonly [key: string]: Json
}

/** A host with its node's name and its variables as attributes. */
interface Prepared {
  readonly host: Host
  readonly name: string
  readonly tags: readonly string[]
  readonly values: ReadonlyMap<string, { readonly value: Json; readonly text: string; readonly from: Sourced }>
}

/**
 * Nodes with tags, a barclamp with a role for each group, and a deployment that binds them by tag.
 *
 * What all hosts have in common stands in the deployment. Hosts of the same groups are one table; what they have in common
 * stands with it, the rest with each node: so every role of a node is given just what the tool says of its host.
 */
export function writeEstate(estate: Estate, { fields, network, remark }: Pick<ImportContext, 'fields' | 'network' | 'remark'>): readonly ImportedFile[] {
  const attributes = new Attributes({ fields, remark }, estate.name)
  const names = nodeNames(estate.hosts.map(({ name }) => name))
  const roles = roleNames(estate.groups.map(({ name }) => name))
  const prepared = estate.hosts
    .map((host): Prepared => {
      const values = [...host.variables].toSorted(([a], [b]) => byCodePoint(a, b)).flatMap(([key, from]) => {
        const value = attributes.of(from)
        if (value === undefined) attributes.refuse(from, 'another part of this variable cannot be said, so that all of it is left out')
        return value === undefined ? [] : [[key, { value, text: canonical(value), from }] as const]
      })
      return { host, name: names.get(host.name) ?? '', tags: [...new Set(host.groups.flatMap((group) => roles.get(group) ?? []))].toSorted(byCodePoint), values: new Map(values) }
    })
    .toSorted((a, b) => byCodePoint(a.name, b.name))
  for (const { host, name } of prepared) for (const place of host.places) fields.mapped(place, `node ${name}`)
  for (const { name, places } of estate.groups) for (const place of places) fields.mapped(place, `barclamp ${estate.name}: roles.${roles.get(name)}`)

  const sections = Map.groupBy(prepared, ({ tags }) => tags.join(','))
  const everywhere = prepared.length > 1 && sections.size > 1 ? sharedBy(prepared) : new Set<string>()
  const common = new Map([...estate.common ?? []].flatMap(([key, from]) => {
    const value = attributes.of(from)
    if (value === undefined) attributes.refuse(from, 'another part of this value cannot be said, so that all of it is left out')
    else attributes.went(from, `deployment ${estate.name}: attributes.${estate.name}.${key}`)
    return value === undefined ? [] : [[key, value] as const]
  }))
  const first = prepared[0]
  for (const key of everywhere) {
    common.set(key, first?.values.get(key)?.value ?? null)
    for (const { values } of prepared) attributes.went(values.get(key)?.from as Sourced, `deployment ${estate.name}: attributes.${estate.name}.${key}`)
  }

  const documents: DocumentFields[] = []
  const files: ImportedFile[] = []
  for (const members of sections.values()) {
    const tags = members[0]?.tags ?? []
    const shared = members.length > 1 ? sharedBy(members).difference(everywhere) : new Set<string>()
    const table = members.length > 1 ? `${estate.name}-${files.length + 1}.csv` : undefined
    if (table !== undefined) {
      files.push({ path: table, text: tableOf(members.map((member) => cellsOf(member, { fields, network }))) })
      for (const key of shared) for (const { values } of members) attributes.went(values.get(key)?.from as Sourced, `nodes ${table}: attributes.${estate.name}.${key}`)
      const values = members[0]?.values
      documents.push({ kind: 'nodes', table, ...(tags.length === 0 ? {} : { tags }), ...under(estate.name, new Map([...shared].map((key) => [key, values?.get(key)?.value ?? null]))) })
    }
    for (const member of members) {
      const own = new Map([...member.values].filter(([key]) => !everywhere.has(key) && !shared.has(key)).map(([key, { value, from }]) => {
        attributes.went(from, `node ${member.name}: attributes.${estate.name}.${key}`)
        return [key, value]
      }))
      const said = under(estate.name, own)
      if (table === undefined) documents.push({ kind: 'node', name: member.name, ...nested(cellsOf(member, { fields, network })), ...(tags.length === 0 ? {} : { tags }), ...said })
      else if (own.size > 0) documents.push({ kind: 'node', name: member.name, ...said })
    }
  }
  for (const declared of estate.declared) for (const value of declared.values()) attributes.unused(value, 'no host has it: it is hidden everywhere, or its group has no host')

  const bound = new Set(prepared.flatMap(({ tags }) => tags))
  if (documents.length > 0) files.push({ path: 'nodes.yaml', text: documentsText(documents.map(inOrder)) })
  if (estate.groups.length > 0 || documents.some((document) => 'attributes' in document) || common.size > 0) {
    const declared = Object.fromEntries(estate.groups.map(({ name, description }) => [roles.get(name) ?? '', { description, jig: 'noop' }] as const).toSorted(([a], [b]) => byCodePoint(a, b)))
    files.push({ path: `barclamps/${estate.name}/barclamp.yaml`, text: documentsText([{ kind: 'barclamp', name: estate.name, version: '0.1.0', attributes: { type: 'object' }, roles: declared }]) })
    const binding = Object.fromEntries([...bound].toSorted(byCodePoint).map((role) => [role, { where: `'${role}' in node.tags` }]))
    files.push({ path: 'deployment.yaml', text: documentsText([{ kind: 'deployment', name: estate.name, roles: binding, ...under(estate.name, common) }]) })
  }
  return files
}

/** Keys of variables that all of these hosts have, and have alike. */
function sharedBy(hosts: readonly Prepared[]): ReadonlySet<string> {
  const [first, ...others] = hosts
  return new Set([...first?.values ?? []].filter(([key, { text }]) => others.every(({ values }) => values.get(key)?.text === text)).map(([key]) => key))
}

function under(name: string, values: ReadonlyMap<string, Json>): DocumentFields {
  return values.size === 0 ? {} : { attributes: { [name]: Object.fromEntries([...values].toSorted(([a], [b]) => byCodePoint(a, b))) } }
}

/** What a host has besides attributes and tags, by the path of its field. */
function cellsOf({ host, name }: Prepared, { fields, network }: Pick<ImportContext, 'fields' | 'network'>): ReadonlyMap<string, string> {
  const cells = new Map([['name', name]])
  const say = (path: string, said: { readonly text: string; readonly place: Host['places'][number] } | undefined): void => {
    if (said === undefined) return
    if (said.text === '' || said.text.includes('${')) return fields.beside(said.place, said.text === '' ? 'it is empty' : 'what holds `${` cannot be said here')
    cells.set(path, said.text)
    fields.mapped(said.place, `node ${name}: ${path}`)
  }
  for (const [key, said] of Object.entries(host.machine ?? {})) say(`machine.${key}`, said)
  if (host.name !== name) cells.set('labels.imported-name', host.name)
  if (host.address !== undefined) say(network === undefined ? 'labels.address' : `networks.${network}.address`, host.address)
  for (const [key, said] of Object.entries(host.labels ?? {})) say(`labels.${key}`, said)
  return cells
}

function tableOf(rows: readonly ReadonlyMap<string, string>[]): string {
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))].toSorted((a, b) => Number(b === 'name') - Number(a === 'name') || byCodePoint(a, b))
  const cell = (text: string): string => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return `${[columns, ...rows.map((row) => columns.map((column) => row.get(column) ?? ''))].map((row) => row.map(cell).join(',')).join('\n')}\n`
}

/** `labels.rack` → `{ labels: { rack } }`. */
function nested(cells: ReadonlyMap<string, string>): DocumentFields {
  const result: Record<string, Json> = {}
  for (const [path, text] of cells) {
    const [key = '', ...rest] = path.split('.')
    if (rest.length === 0) result[key] = text
    else if (key === 'networks') result[key] = { [rest[0] ?? '']: { address: text } }
    else result[key] = { ...(result[key] as DocumentFields | undefined), [rest.join('.')]: text }
  }
  return result
}

const ORDER = ['kind', 'name', 'table', 'machine', 'os', 'tags', 'labels', 'networks', 'attributes']

function inOrder(document: DocumentFields): DocumentFields {
  return Object.fromEntries(Object.entries(document).toSorted(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b)))
}

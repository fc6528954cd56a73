import { byCodePoint } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { readWithAliases } from './crowbar1-aliases.ts'
import { networksOf } from './crowbar1-networks.ts'
import { documentsText } from './document-text.ts'
import type { ImportedFile } from './estate.ts'
import { at, entriesOf, isMap, itemsOf, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import type { ImportContext } from './import-context.ts'
import { wholeFile } from './input.ts'
import type { InputFile } from './input.ts'
import { nodeNames, roleNames, word } from './names.ts'
import { Attributes, variablesOf } from './sourced.ts'

type DocumentFields = { readonly [key: string]: Json }

/** A proposal: attributes of one barclamp, and which of its roles go where. */
interface Proposal {
  readonly barclamp: string
  readonly name: string
  readonly attributes: Place | undefined
  readonly elements: readonly (readonly [role: string, nodes: readonly Place[]])[]
  readonly order: Place | undefined
}

interface Read {
  proposals: Proposal[]
  /** `barclamp:` of each crowbar.yml. */
  readonly barclamps: Map<string, Place>
  readonly networks: Place[]
}

/** Crowbar 1: `network.json`, proposals, files of `crowbar_batch`, and `crowbar.yml` of barclamps. */
export function importCrowbar1(files: readonly InputFile[], context: ImportContext): readonly ImportedFile[] {
  const { fields, remark } = context
  const found: Read = { proposals: [], barclamps: new Map(), networks: [] }
  for (const file of files) read(file, found, context)
  found.proposals = withMembers(found.proposals, fields)
  const attributes = new Attributes({ fields, remark }, 'crowbar1')
  const hosts = nodeNames(found.proposals.flatMap(({ elements }) => elements.flatMap(([, nodes]) => nodes.map(hostOf))))
  const [first, ...others] = found.networks
  for (const other of others) fields.refused(other, `networks are said in ${first?.document.path ?? 'another file'} too`)
  const networks = first === undefined ? { documents: [], admin: undefined } : networksOf(first, fields)
  const roles = rolesOf(found)
  const written: ImportedFile[] = [...roles.keys()].map((barclamp) => ({
    path: `barclamps/${nameOf(barclamp)}/barclamp.yaml`, text: documentsText([barclampOf(barclamp, { found, roles: roles.get(barclamp) ?? new Map(), fields })]),
  }))
  const names = deploymentNames(found.proposals)
  const deployments = found.proposals.map((proposal, i) => deploymentOf(proposal, { name: names[i] ?? proposal.barclamp, roles: roles.get(proposal.barclamp) ?? new Map(), hosts, attributes, fields }))
  if (deployments.length > 0) written.push({ path: 'deployments.yaml', text: documentsText(deployments) })
  if (networks.documents.length > 0) written.push({ path: 'networks.yaml', text: documentsText(networks.documents) })
  const nodes = [...hosts].toSorted(([, a], [, b]) => byCodePoint(a, b)).map(([original, name]): DocumentFields => ({ kind: 'node', name, ...pinOf(name), ...(original === name ? {} : { labels: { 'imported-name': original } }) }))
  if (nodes.length > 0) written.push({ path: 'nodes.yaml', text: documentsText(nodes) })
  const domain = found.proposals.filter(({ barclamp }) => barclamp === 'dns').map((proposal) => textAt(proposal.attributes, 'domain')?.toLowerCase()).find((one) => one !== undefined && /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(one))
  if (domain !== undefined && networks.admin !== undefined) {
    const site = { kind: 'site', name: word(domain.split('.')[0] ?? '') || 'site', domain, admin: { network: 'admin', address: networks.admin }, barclamps: ['builtin', { path: 'barclamps' }] }
    written.push({ path: 'site.yaml', text: documentsText([site]) })
    remark(`site.yaml: name, domain and address of the admin node are taken from the proposal for dns and the range admin of the network admin: ${domain}, ${networks.admin}.`)
  }
  return written
}

/** Barclamp → its roles by their names in Crowbar 1. No two barclamps have a role of one name. */
function rolesOf({ barclamps, proposals }: Read): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const taken = new Set<string>()
  return new Map([...new Set([...barclamps.keys(), ...proposals.map(({ barclamp }) => barclamp)])].toSorted(byCodePoint).map((barclamp) => {
    const own = roleNames(proposals.filter((one) => one.barclamp === barclamp).flatMap(({ elements }) => elements.map(([role]) => role)))
    const roles = new Map([...own].map(([original, role]) => [original, taken.has(role) ? word(`${nameOf(barclamp)}-${role}`) : role]))
    for (const role of roles.values()) taken.add(role)
    return [barclamp, roles]
  }))
}

function read(file: InputFile, found: Read, { fields, report }: ImportContext): void {
  const document = readWithAliases(file, report)
  if (document === undefined) return fields.refused(fields.add(wholeFile(file)), 'it could not be read')
  const whole = fields.add(document)
  // As Chef writes an item of a data bag.
  const raw = at(whole, 'raw_data')
  const root = raw !== undefined && isMap(raw.value) ? raw : whole
  if (root !== whole) fields.beside(whole, 'of the data bag')
  const proposals = at(root, 'proposals')
  const attributes = at(root, 'attributes')
  const barclamp = at(root, 'barclamp')
  if (Array.isArray(proposals?.value)) {
    fields.beside(root, 'nothing here reads it')
    for (const one of itemsOf(proposals)) addBatched(one, found, fields)
  } else if (attributes !== undefined && isMap(attributes.value)) addProposal(root, attributes, found, fields)
  else if (at(root, 'networks') !== undefined || at(root, 'conduit_map') !== undefined) found.networks.push(root)
  else if (barclamp !== undefined && isMap(barclamp.value)) {
    fields.beside(root, 'nothing here reads it')
    const name = textAt(barclamp, 'name') ?? ''
    if (nameOf(name) === '') fields.refused(barclamp, 'a barclamp has a name')
    else if (found.barclamps.has(name)) fields.refused(root, `there is another barclamp ${name}`)
    else found.barclamps.set(name, barclamp)
  } else fields.refused(root, 'it is neither a proposal, a batch, network.json nor crowbar.yml')
  return undefined
}

function addProposal(root: Place, attributes: Place, found: Read, fields: Fields): void {
  fields.beside(root, 'state of Crowbar 1, or nothing that is read here')
  for (const [barclamp, own] of entriesOf(attributes)) {
    const deployment = at(root, 'deployment', barclamp)
    const id = textAt(root, 'id') ?? ''
    const name = id.replace(/^template-/, '').replace(/^bc-/, '')
    for (const key of ['id', 'description']) {
      const place = at(root, key)
      if (place !== undefined) fields.raw(place, 'the name of the deployment is made of it, or it is for people', 'deployments.yaml')
    }
    add({ barclamp, name, own, elements: at(deployment, 'elements'), order: at(deployment, 'element_order') }, found, fields)
  }
}

function addBatched(proposal: Place, found: Read, fields: Fields): void {
  const barclamp = at(proposal, 'barclamp')
  const name = at(proposal, 'name')
  const wiped = at(proposal, 'wipe_attributes')
  if (textAt(barclamp) === undefined || barclamp === undefined) return fields.refused(proposal, 'a proposal names its `barclamp`')
  fields.mapped(barclamp, 'deployments.yaml')
  if (name !== undefined) fields.mapped(name, 'deployments.yaml')
  if (wiped !== undefined && itemsOf(wiped).length > 0) fields.refused(wiped, 'it takes away what a template of Crowbar 1 has, and that is not among the files')
  return add({ barclamp: textAt(barclamp) ?? '', name: `${textAt(barclamp) ?? ''}-${textAt(name) ?? 'default'}`, own: at(proposal, 'attributes'), elements: at(proposal, 'deployment', 'elements'), order: undefined }, found, fields)
}

interface Said {
  readonly barclamp: string
  readonly name: string
  readonly own: Place | undefined
  readonly elements: Place | undefined
  readonly order: Place | undefined
}

function add({ barclamp, name, own, elements, order }: Said, found: Read, fields: Fields): void {
  const isNetwork = barclamp === 'network' && (at(own, 'networks') !== undefined || at(own, 'conduit_map') !== undefined)
  if (isNetwork && own !== undefined) found.networks.push(own)
  if (nameOf(barclamp) === '') {
    if (own !== undefined) fields.refused(own, 'this is no name of a barclamp')
    return
  }
  if (own?.value === null) fields.mapped(own, 'deployments.yaml', 'empty')
  else if (own !== undefined && !isMap(own.value)) fields.refused(own, 'attributes are a map')
  const bound = entriesOf(elements).map(([role, list]) => {
    if (list.value === null || (Array.isArray(list.value) && list.value.length === 0)) fields.mapped(list, 'deployments.yaml', 'on no node')
    else if (!Array.isArray(list.value)) fields.refused(list, 'the elements of a role are a list of nodes')
    return [role, itemsOf(list).filter((node) => isHost(node, fields))] as const
  })
  if (isNetwork && bound.every(([, nodes]) => nodes.length === 0)) return
  found.proposals.push({ barclamp, name: name === '' ? barclamp : name, attributes: isNetwork ? undefined : own, elements: bound, order })
}

/** Other elements than nodes and clusters are refused. */
function isHost(node: Place, fields: Fields): boolean {
  const good = hostOf(node) !== ''
  if (!good) fields.refused(node, 'a node is named by text')
  return good
}

/** What makes a node a member of a cluster, or one of its remote nodes, by how an element calls these. */
const MEMBERS: ReadonlyMap<string, string> = new Map([['cluster', 'pacemaker-cluster-member'], ['remotes', 'pacemaker-remote']])

/** `cluster:NAME` and `remotes:NAME` as the nodes that a proposal for pacemaker has under that name. */
function withMembers(proposals: readonly Proposal[], fields: Fields): Proposal[] {
  const clusters = proposals.filter(({ barclamp }) => barclamp === 'pacemaker')
  const nodesOf = (node: Place): readonly Place[] => {
    const [, kind = '', name = ''] = /^([^:]*):(.*)$/.exec(hostOf(node)) ?? []
    if (kind === '' && name === '') return [node]
    const elements = clusters.find((one) => one.name === `pacemaker-${name}`)?.elements
    const members = elements?.find(([role]) => role === MEMBERS.get(kind))?.[1].filter((one) => !hostOf(one).includes(':')) ?? []
    if (members.length === 0) fields.refused(node, 'no proposal for pacemaker among the files says which nodes these are: name them')
    return members.map(({ value }) => ({ ...node, value }))
  }
  return proposals.map((proposal) => ({ ...proposal, elements: proposal.elements.map(([role, nodes]) => [role, nodes.flatMap(nodesOf)] as const) }))
}

/** Crowbar names a node after the MAC address that it was first seen by. */
function pinOf(name: string): DocumentFields {
  const mac = /^d([0-9a-f]{2}(?:-[0-9a-f]{2}){5})$/.exec(name)?.[1]
  return mac === undefined ? {} : { machine: { mac: mac.replaceAll('-', ':') } }
}

/** `@@name@@` of a batch stands for a node that is called so. */
function hostOf(node: Place): string {
  return (textAt(node) ?? '').replace(/^@@(.*)@@$/, '$1')
}

function nameOf(barclamp: string): string {
  const name = barclamp.toLowerCase().replaceAll(/[^a-z0-9_-]+/g, '-').slice(0, 63)
  return /^[a-z]/.test(name) ? name : ''
}

/** One name each: that of the barclamp where there is one proposal of it. */
function deploymentNames(proposals: readonly Proposal[]): readonly string[] {
  const taken = new Set<string>()
  return proposals.map(({ barclamp, name }) => {
    const alone = proposals.filter((one) => one.barclamp === barclamp).length === 1
    const wish = word(alone ? barclamp : name) || 'deployment'
    let given = wish
    for (let i = 2; taken.has(given); i++) given = `${wish.slice(0, 58)}-${i}`
    taken.add(given)
    return given
  })
}

function barclampOf(barclamp: string, { found, roles, fields }: { readonly found: Read; readonly roles: ReadonlyMap<string, string>; readonly fields: Fields }): DocumentFields {
  const said = found.barclamps.get(barclamp)
  const name = nameOf(barclamp)
  const to = (path: string): string => `barclamp ${name}: ${path}`
  const find = (key: string): Place | undefined => at(said, key)
  const description = find('description') ?? find('display')
  const version = find('version')
  const number = /^[0-9]+(\.[0-9]+){0,2}$/.exec(typeof version?.value === 'number' ? String(version.value) : (textAt(version) ?? ''))?.[0]
  if (said !== undefined) fields.mapped(at(said, 'name') as Place, to('name'))
  if (description !== undefined && textAt(description) !== undefined) fields.mapped(description, to('description'))
  if (version !== undefined && number !== undefined) fields.mapped(version, to('version'))
  const requires = itemsOf(find('requires')).flatMap((place) => {
    const other = textAt(place) ?? ''
    const known = found.barclamps.has(other) || found.proposals.some((one) => one.barclamp === other)
    if (known && other !== barclamp) fields.mapped(place, to('requires'))
    else fields.beside(place, other.startsWith('@') ? 'a group of barclamps' : 'this barclamp is not among the files')
    return known && other !== barclamp ? [nameOf(other)] : []
  })
  const after = orderOf(found.proposals.filter((one) => one.barclamp === barclamp), { roles, fields, to })
  const declared = Object.fromEntries([...roles].toSorted(([, a], [, b]) => byCodePoint(a, b)).map(([original, role]) => {
    const before = after.get(role) ?? []
    const waited = [...after.values()].some((list) => list.includes(role))
    return [role, { description: `The role ${original} of Crowbar 1.`, jig: 'noop', ...(before.length === 0 ? {} : { requires: before }), ...(waited ? { scope: 'cluster' } : {}) }]
  }))
  return {
    kind: 'barclamp', name, version: number === undefined ? '0.1.0' : [...number.split('.'), '0', '0'].slice(0, 3).join('.'),
    ...(textAt(description) === undefined ? {} : { description: textAt(description) ?? '' }), ...(requires.length === 0 ? {} : { requires: [...new Set(requires)] }), attributes: { type: 'object' }, roles: declared,
  }
}

/** Role → those of the batch before it: `element_order` is batch after batch. The first proposal that says it counts. */
function orderOf(proposals: readonly Proposal[], { roles, fields, to }: { readonly roles: ReadonlyMap<string, string>; readonly fields: Fields; readonly to: (path: string) => string }): ReadonlyMap<string, readonly string[]> {
  const [proposal] = proposals.filter(({ order }) => itemsOf(order).length > 0)
  const after = new Map<string, readonly string[]>()
  if (proposal === undefined || proposals.length > 1) return after
  const bound = new Set(proposal.elements.filter(([, nodes]) => nodes.length > 0).flatMap(([role]) => roles.get(role) ?? []))
  const seen = new Set<string>()
  let before: readonly string[] = []
  for (const batch of itemsOf(proposal.order)) {
    const here: string[] = []
    for (const entry of itemsOf(batch)) {
      const role = roles.get(textAt(entry) ?? '')
      if (role === undefined || !bound.has(role) || seen.has(role)) continue
      fields.mapped(entry, to(`roles.${role}.requires`), 'batches become requirements')
      seen.add(role)
      here.push(role)
      if (before.length > 0) after.set(role, before)
    }
    if (here.length > 0) before = here
  }
  return after
}

interface Naming {
  readonly name: string
  readonly roles: ReadonlyMap<string, string>
  readonly hosts: ReadonlyMap<string, string>
  readonly attributes: Attributes
  readonly fields: Fields
}

function deploymentOf(proposal: Proposal, { name, roles, hosts, attributes, fields }: Naming): DocumentFields {
  const barclamp = nameOf(proposal.barclamp)
  const bound = proposal.elements.filter(([, nodes]) => nodes.length > 0).map(([role, nodes]) => {
    const key = roles.get(role) ?? ''
    for (const node of nodes) fields.mapped(node, `deployment ${name}: roles.${key}.nodes`)
    return [key, { nodes: [...new Set(nodes.map((node) => hosts.get(hostOf(node)) ?? ''))] }] as const
  })
  const values: Record<string, Json> = {}
  for (const [key, from] of variablesOf(proposal.attributes)) {
    const value = attributes.of(from)
    if (value === undefined) attributes.refuse(from, 'another part of this value cannot be said, so that all of it is left out')
    else {
      values[key] = value
      attributes.went(from, `deployment ${name}: attributes.${barclamp}.${key}`)
    }
  }
  if (proposal.attributes !== undefined && isMap(proposal.attributes.value) && Object.keys(proposal.attributes.value).length === 0) fields.mapped(proposal.attributes, `deployment ${name}`, 'empty')
  return { kind: 'deployment', name, roles: Object.fromEntries(bound.toSorted(([a], [b]) => byCodePoint(a, b))), ...(Object.keys(values).length === 0 ? {} : { attributes: { [barclamp]: values } }) }
}

import { byCodePoint } from '../../schemas/canonical.ts'
import { parseAddress } from '../resolve/address.ts'
import { joinedLevel } from './chef-level.ts'
import type { Estate, Group, Host, ImportedFile, Said } from './estate.ts'
import { at, entriesOf, isMap, itemsOf, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import type { ImportContext } from './import-context.ts'
import { readDocument, wholeFile } from './input.ts'
import type { InputFile } from './input.ts'
import { machineOf, saidAt } from './machine-facts.ts'
import { ohaiMachine } from './ohai.ts'
import { merged, sourced, variablesOf } from './sourced.ts'
import type { Sourced, Variables } from './sourced.ts'
import { writeEstate } from './write-estate.ts'
import { RUBY_YAML } from './yaml-dialects.ts'

type Kind = 'node' | 'role' | 'environment' | 'item' | 'policy'

interface ChefObject {
  readonly kind: Kind
  readonly name: string
  readonly place: Place
}

/** What every kind has, and means nothing here. */
const HOUSEKEEPING: ReadonlySet<string> = new Set(['json_class', 'chef_type'])
/** Roles inside roles. */
const MAX_DEPTH = 50

/** Nodes, roles, environments and data bags of Chef, as `knife … -F json` prints them or a repository has them. */
export function importChef(files: readonly InputFile[], context: ImportContext): readonly ImportedFile[] {
  const { fields } = context
  const objects = files.flatMap((file) => objectsOf(file, context))
  const of = (kind: Kind): readonly ChefObject[] => objects.filter((one) => one.kind === kind)
  const first = new Map<string, ChefObject>()
  for (const one of objects) {
    const key = one.kind === 'item' ? `item ${one.place.document.path} ${one.name}` : `${one.kind} ${one.name}`
    if (first.has(key)) fields.refused(one.place, `there is another ${one.kind} ${one.name}`)
    else first.set(key, one)
  }
  const alone = (kind: Kind): readonly ChefObject[] => of(kind).filter((one) => first.get(`${kind} ${one.name}`) === one)
  const roles = new Map(alone('role').map((role) => [role.name, role]))
  const environments = new Map(alone('environment').map((environment) => [environment.name, environment]))
  const policies = new Map(alone('policy').map((policy) => [policy.name, policy]))
  const written: ImportedFile[] = []
  const groups = new Map<string, { places: Place[]; description: string }>()
  const declared: Variables[] = []
  for (const { name, place } of roles.values()) {
    const description = textAt(place, 'description') ?? ''
    groups.set(name, { places: [at(place, 'name'), at(place, 'description')].filter((one) => one !== undefined), description: description === '' ? `The Chef role ${name}.` : description })
    settle(place, fields, ['default_attributes', 'override_attributes', 'run_list'])
    declared.push(layer(place, 'default_attributes'), layer(place, 'override_attributes'))
  }
  for (const { place, name } of environments.values()) {
    settle(place, fields, ['default_attributes', 'override_attributes'])
    declared.push(layer(place, 'default_attributes'), layer(place, 'override_attributes'))
    for (const key of ['name', 'description']) {
      const one = at(place, key)
      if (one !== undefined) fields.raw(one, `of the environment ${name}: see the label chef-environment of nodes`, 'nodes.yaml')
    }
  }
  for (const { place, name } of policies.values()) {
    settle(place, fields, ['default_attributes', 'override_attributes', 'run_list'])
    declared.push(layer(place, 'default_attributes'), layer(place, 'override_attributes'))
    for (const one of [at(place, 'name')].filter((said) => said !== undefined)) fields.raw(one, `of the policy ${name}: see the label chef-policy-name of nodes`, 'nodes.yaml')
  }
  const walked = new Set<unknown>()
  const hosts = alone('node').map(({ name, place }): Host => {
    const inEnvironment = textAt(place, 'chef_environment') ?? '_default'
    const policy = policies.get(textAt(place, 'policy_name') ?? '')
    const { used, listed } = expanded(policy?.place ?? place, { roles, fields, groups, walked, environment: inEnvironment })
    const environment = environments.get(inEnvironment)?.place
    const ofRoles = (key: string): readonly Variables[] => [...used, ...(policy === undefined ? [] : [policy])].map((role) => layer(role.place, key))
    const own = isSolo(place) ? soloOf(place) : new Map<string, Sourced>()
    const defaults = joinedLevel([layer(place, 'default'), layer(environment, 'default_attributes'), ...ofRoles('default_attributes')], fields)
    const overrides = joinedLevel([layer(place, 'override'), ...ofRoles('override_attributes'), layer(environment, 'override_attributes')], fields)
    const variables = merged(defaults, own, layer(place, 'normal'), overrides)
    declared.push(layer(place, 'default'), layer(place, 'normal'), layer(place, 'override'))
    if (own.size === 0) settle(place, fields, ['default', 'normal', 'override', 'automatic', 'run_list'])
    else for (const [key, child] of entriesOf(place)) if (HOUSEKEEPING.has(key)) fields.mapped(child, 'nodes.yaml', 'says what this is')
    const automatic = at(place, 'automatic')
    const known = automatic === undefined ? undefined : factsOf(automatic, name, context)
    const address = at(automatic, 'ipaddress')
    const reached = context.network === undefined || parseAddress(textAt(address) ?? '') === undefined ? undefined : saidAt(address)
    if (known !== undefined && written.every(({ path }) => path !== known.file.path)) written.push(known.file)
    const label = (key: string, as: string): readonly (readonly [string, Said])[] => {
      const said = saidAt(at(place, key))
      return said === undefined ? [] : [[as, said]]
    }
    return {
      name, places: [at(place, 'name'), at(place, 'run_list')].filter((one) => one !== undefined), groups: listed, variables,
      labels: Object.fromEntries([...label('chef_environment', 'chef-environment'), ...label('policy_name', 'chef-policy-name'), ...label('policy_group', 'chef-policy-group')]),
      ...(known?.host.machine === undefined ? { address: reached } : { machine: known.host.machine, address: known.host.address }),
    }
  })
  for (const { place } of [...roles.values(), ...policies.values()]) {
    const list = at(place, 'run_list')
    if (list !== undefined && !walked.has(list.value)) for (const entry of [list, ...itemsOf(list)]) fields.beside(entry, 'no node has this run list')
  }
  const estate: Estate = {
    name: 'chef', hosts, declared, common: bagsOf(of('item'), fields),
    groups: [...groups].toSorted(([a], [b]) => byCodePoint(a, b)).map(([name, { places, description }]): Group => ({ name, places, description })),
  }
  return [...written, ...writeEstate(estate, context)]
}

function objectsOf(file: InputFile, { fields, report }: ImportContext): readonly ChefObject[] {
  const whole = (why: string): readonly ChefObject[] => {
    fields.refused(fields.add(wholeFile(file)), why)
    return []
  }
  if (/\.rb$/i.test(file.path)) return whole('a Ruby program is not run: give what `knife role show NAME -F json` and the like print')
  const document = readDocument(file, RUBY_YAML, report)
  if (document === undefined) return whole('it could not be read')
  const root = fields.add(document)
  const rows = at(root, 'rows')
  const total = at(root, 'results')
  if (rows !== undefined && total !== undefined) fields.mapped(total, 'nodes.yaml', 'how many there are')
  const places = Array.isArray(root.value) ? itemsOf(root) : rows === undefined ? [root] : itemsOf(rows)
  return places.flatMap((place) => {
    const kind = kindOf(place)
    const base = file.path.split('/').at(-1)?.replace(/\.json$/i, '') ?? ''
    if (kind !== undefined) return [{ kind, place, name: textAt(place, kind === 'item' ? 'id' : 'name') ?? base }]
    fields.refused(place, 'it is neither a node nor a role, environment, policy or data bag item')
    return []
  })
}

function kindOf(place: Place): Kind | undefined {
  if (!isMap(place.value)) return undefined
  const said = textAt(place, 'json_class') ?? textAt(place, 'chef_type') ?? ''
  const folder = /(?:^|\/)acls\//.test(place.document.path) ? undefined : /(?:^|\/)(nodes|roles|environments|data_bags)\//.exec(place.document.path)?.[1]
  if ('revision_id' in place.value && 'cookbook_locks' in place.value) return 'policy'
  if (/DataBagItem|data_bag_item/.test(said) || folder === 'data_bags') return 'item'
  if (/node$/i.test(said) || folder === 'nodes') return 'node'
  if (/role$/i.test(said) || folder === 'roles') return 'role'
  if (/environment$/i.test(said) || folder === 'environments') return 'environment'
  if ('run_list' in place.value) return 'default_attributes' in place.value ? 'role' : 'node'
  return typeof place.value['id'] === 'string' ? 'item' : undefined
}

/** Says of each field that is none of these, and of which nothing is said yet, that it is kept. */
function settle(place: Place, fields: Fields, read: readonly string[]): void {
  if (Object.keys(place.value ?? {}).length === 0) fields.mapped(place, 'nodes.yaml', 'empty')
  for (const [key, child] of entriesOf(place)) {
    if (HOUSEKEEPING.has(key)) fields.mapped(child, 'nodes.yaml', 'says what this is')
    else if (child.value === null || child.value === '' || (typeof child.value === 'object' && Object.keys(child.value).length === 0)) fields.mapped(child, 'nodes.yaml', 'empty')
    else if (!read.includes(key) && !['name', 'description', 'chef_environment', 'policy_name', 'policy_group'].includes(key)) fields.beside(child, 'nothing here reads it')
  }
}

function layer(place: Place | undefined, key: string): Variables {
  return variablesOf(at(place, key))
}

/** Whether a node has its attributes beside its run list, as chef-solo and knife-solo read them, and not by level. */
function isSolo(place: Place): boolean {
  if (['normal', 'default', 'override'].some((level) => at(place, level) !== undefined)) return false
  return at(place, 'automatic') === undefined || (at(place, 'json_class') === undefined && at(place, 'chef_type') === undefined)
}

function soloOf(place: Place): Variables {
  return new Map([...variablesOf(place)].filter(([key]) => !['name', 'run_list', 'automatic', 'chef_environment', 'policy_name', 'policy_group'].includes(key) && !HOUSEKEEPING.has(key)))
}

/** Roles of a run list, those in other roles first, and the names of all groups. A role may have another run list in an environment. */
function expanded(node: Place, { roles, fields, groups, walked, environment }: { readonly roles: ReadonlyMap<string, ChefObject>; readonly fields: Fields; readonly groups: Map<string, { places: Place[]; description: string }>; readonly walked: Set<unknown>; readonly environment: string }): { readonly used: readonly ChefObject[]; readonly listed: readonly string[] } {
  const used = new Set<ChefObject>()
  const entered = new Set<ChefObject>()
  const listed = new Set<string>()
  const walk = (list: Place | undefined, depth: number): void => {
    walked.add(list?.value)
    if (list !== undefined && !Array.isArray(list.value)) fields.refused(list, 'a run list is a list')
    for (const entry of itemsOf(list)) {
      const [, type = 'recipe', named, plain] = /^(?:(role|recipe)\[([^\]]+)\]|([^[\]]+))$/.exec(textAt(entry) ?? '') ?? []
      const [item = ''] = (named ?? plain ?? '').split('@')
      if (item === '') {
        fields.refused(entry, 'an entry of a run list is `role[NAME]` or `recipe[NAME]`')
        continue
      }
      const name = type === 'role' ? item : `recipe ${item}`
      const group = groups.get(name) ?? { places: [], description: type === 'role' ? `The Chef role ${item}, which was not among the files.` : `The Chef recipe ${item}.` }
      groups.set(name, group)
      if (!group.places.some(({ document, pointer }) => document === entry.document && pointer.join('/') === entry.pointer.join('/'))) group.places.push(entry)
      listed.add(name)
      const role = type === 'role' ? roles.get(item) : undefined
      if (role === undefined || entered.has(role) || depth > MAX_DEPTH) continue
      entered.add(role)
      walk((environment === '_default' ? undefined : at(role.place, 'env_run_lists', environment)) ?? at(role.place, 'run_list'), depth + 1)
      used.add(role)
    }
  }
  walk(at(node, 'run_list'), 0)
  return { used: [...used], listed: [...listed] }
}

function factsOf(automatic: Place, name: string, context: ImportContext): ReturnType<typeof machineOf> {
  context.fields.beside(automatic, 'no fact of hardware, or one that nothing here reads')
  if (at(automatic, 'network', 'interfaces') === undefined && at(automatic, 'dmi', 'system') === undefined) return undefined
  return machineOf(ohaiMachine({ roots: new Map(entriesOf(automatic)), otherwise: name, place: automatic, named: [] }), context)
}

/** All data bags as one attribute, for everybody. */
function bagsOf(items: readonly ChefObject[], fields: Fields): Variables {
  const bags = new Map<string, Map<string, Sourced>>()
  for (const { name, place } of items) {
    const bag = textAt(place, 'data_bag') ?? /([^/]+)\/[^/]*$/.exec(place.document.path)?.[1] ?? 'data'
    const raw = at(place, 'raw_data')
    if (raw !== undefined) for (const key of ['name', 'data_bag', ...HOUSEKEEPING]) for (const one of [at(place, key)]) if (one !== undefined) fields.mapped(one, 'deployment.yaml', 'says what this is')
    const into = bags.get(bag) ?? new Map<string, Sourced>()
    bags.set(bag, into)
    into.set(raw === undefined ? name : (textAt(raw, 'id') ?? name), sourced(raw ?? place))
  }
  return bags.size === 0 ? new Map() : new Map([['data_bags', { map: new Map([...bags].map(([bag, map]) => [bag, { map }])) }]])
}

import { byCodePoint } from '../../schemas/canonical.ts'
import { expandPattern, MAX_HOSTS } from './ansible-pattern.ts'
import { at, entriesOf, isMap, itemsOf } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import { sourced } from './sourced.ts'
import type { Sourced, Variables } from './sourced.ts'

/** A group while it is read. */
export interface AnsibleGroup {
  readonly name: string
  readonly places: Place[]
  readonly children: Set<string>
  readonly hosts: Set<string>
  readonly variables: Map<string, Sourced>
  /** Of `group_vars/`. */
  readonly files: Map<string, Sourced>
  priority: number
}

export interface AnsibleHost {
  readonly name: string
  readonly places: Place[]
  readonly variables: Map<string, Sourced>
  readonly files: Map<string, Sourced>
}

const VARIABLE_OF_GROUPS = 'ansible_group_priority'

/** Groups and hosts as the files of an inventory say them one after another, and the rules by which Ansible joins them. */
export class AnsibleInventory {
  readonly groups = new Map<string, AnsibleGroup>()
  readonly hosts = new Map<string, AnsibleHost>()
  /** Every variable that was said. */
  readonly declared: Variables[] = []
  readonly #fields: Fields

  constructor(fields: Fields) {
    this.#fields = fields
    this.group('all')
    this.group('ungrouped')
  }

  group(name: string, place?: Place): AnsibleGroup {
    const group: AnsibleGroup = this.groups.get(name) ?? { name, places: [], children: new Set(), hosts: new Set(), variables: new Map(), files: new Map(), priority: 1 }
    this.groups.set(name, group)
    if (place !== undefined) group.places.push(place)
    return group
  }

  /** Adds the hosts that a pattern stands for to a group. */
  addHosts(group: string, pattern: string, { place, variables }: { readonly place: Place; readonly variables: Place | undefined }): void {
    const expanded = expandPattern(pattern, MAX_HOSTS - this.hosts.size)
    const values = this.#taken(variables)
    if (typeof expanded === 'string') {
      this.#fields.refused(place, expanded)
      for (const value of values.values()) if ('place' in value) this.#fields.refused(value.place, 'its host is refused')
      if (variables !== undefined) this.#fields.refused(variables, 'its host is refused')
      return
    }
    for (const name of expanded.hosts) {
      const known = this.hosts.get(name)
      const host: AnsibleHost = known ?? { name, places: [], variables: new Map(), files: new Map() }
      this.hosts.set(name, host)
      host.places.push(place)
      this.group(group).hosts.add(name)
      if (known === undefined && expanded.port !== undefined) host.variables.set('ansible_port', { place: { ...place, value: expanded.port } })
      for (const [key, value] of values) host.variables.set(key, value)
    }
  }

  setGroup(name: string, variables: Place | undefined): void {
    const group = this.group(name)
    for (const [key, value] of this.#taken(variables)) {
      const priority = 'place' in value ? Number(value.place.value) : Number.NaN
      if (key !== VARIABLE_OF_GROUPS) group.variables.set(key, value)
      else if (!('place' in value) || !Number.isSafeInteger(priority)) this.#fields.refused(at(variables, key) as Place, 'a priority is a whole number')
      else {
        group.priority = priority
        this.#fields.mapped(value.place, 'deployment.yaml', 'it decides which group wins')
      }
    }
  }

  setFile(of: AnsibleGroup | AnsibleHost, root: Place): void {
    for (const [key, value] of this.#taken(root)) of.files.set(key, value)
  }

  /** Adds a child, unless that would go round in a circle. */
  addChild(parent: string, child: string, place: Place): void {
    if (parent === child || this.#below(child).has(parent)) {
      this.#fields.refused(place, `${child} would be a child of itself`)
      return
    }
    this.group(parent).children.add(child)
    this.group(child, place)
  }

  /** Whether a group has hosts or children, wherever that was said. */
  isKnown(name: string): boolean {
    const group = this.groups.get(name)
    return group !== undefined && group.hosts.size + group.children.size > 0
  }

  /** Takes away a group that is only spoken of. */
  forget(name: string): void {
    this.groups.delete(name)
    for (const { children } of this.groups.values()) children.delete(name)
  }

  /** A YAML or TOML inventory: group → hosts, vars, children; children are maps in YAML and lists in TOML. */
  addTree(root: Place): void {
    if (at(root, 'plugin') !== undefined) return this.#fields.refused(root, 'this configures an inventory plugin: give what `ansible-inventory --list` prints with it')
    if (!isMap(root.value)) return this.#fields.refused(root, 'an inventory is a map of groups')
    for (const [name, place] of entriesOf(root)) this.#tree(name, place, 0)
  }

  /** What an inventory script prints for `--list`. */
  addScript(root: Place): void {
    const meta = at(root, '_meta', 'hostvars')
    const seen = new Set<string>()
    const add = (group: string, hosts: readonly Place[]): void => {
      for (const place of hosts) {
        if (typeof place.value !== 'string') this.#fields.refused(place, 'the name of a host is text')
        else {
          seen.add(place.value)
          this.#host(group, place.value, place)
        }
      }
    }
    for (const [name, place] of entriesOf(root)) {
      if (name === '_meta') continue
      const { value } = place
      this.group(name)
      if (Array.isArray(value)) add(name, itemsOf(place))
      else if (!isMap(value)) this.#fields.refused(place, 'a group is a map, or a list of hosts')
      else if (!['hosts', 'vars', 'children'].some((key) => key in value)) {
        // The old short form: a host of its own, with variables.
        seen.add(name)
        this.#host(name, name, undefined)
        this.setGroup(name, place)
      } else {
        const hosts = at(place, 'hosts')
        if (hosts !== undefined && !Array.isArray(hosts.value)) this.#fields.refused(hosts, 'the hosts of a group are a list')
        add(name, itemsOf(hosts))
        this.#variables(name, at(place, 'vars'))
        for (const child of itemsOf(at(place, 'children'))) {
          if (typeof child.value === 'string') this.addChild(name, child.value, child)
          else this.#fields.refused(child, 'the name of a group is text')
        }
        for (const [key, other] of entriesOf(place)) {
          if (!['hosts', 'vars', 'children'].includes(key)) this.#fields.refused(other, 'a group has hosts, vars and children')
          else if (other.value !== null && typeof other.value === 'object' && Object.keys(other.value).length === 0) this.#fields.mapped(other, 'nodes.yaml', 'empty')
        }
      }
    }
    for (const [name, place] of entriesOf(meta)) {
      const host = this.hosts.get(name)
      if (!seen.has(name) || host === undefined) {
        this.#fields.beside(place, 'no group has this host, and so Ansible does not know it')
        continue
      }
      host.places.push(place)
      for (const [key, value] of this.#taken(place)) host.variables.set(key, value)
    }
    for (const [key, place] of entriesOf(at(root, '_meta'))) {
      if (key !== 'hostvars') this.#fields.beside(place, 'about the inventory itself')
      else if (Object.keys(place.value ?? {}).length === 0) this.#fields.mapped(place, 'nodes.yaml', 'empty')
    }
  }

  /** The groups of each host, others' children too, from the weakest to the strongest; without `all`. */
  groupsOf(): ReadonlyMap<string, readonly AnsibleGroup[]> {
    const parents = new Map<string, string[]>()
    for (const { name, children } of this.groups.values()) for (const child of children) parents.set(child, [...parents.get(child) ?? [], name])
    const depths = new Map<string, number>()
    const depth = (name: string): number => {
      const known = depths.get(name) ?? (name === 'all' ? 0 : 1 + Math.max(0, ...(parents.get(name) ?? []).map(depth)))
      depths.set(name, known)
      return known
    }
    const above = new Map<string, ReadonlySet<string>>()
    const ancestors = (name: string): ReadonlySet<string> => {
      const known = above.get(name) ?? new Set([name, ...(parents.get(name) ?? []).flatMap((parent) => [...ancestors(parent)])])
      above.set(name, known)
      return known
    }
    const of = new Map<string, Set<string>>([...this.hosts.keys()].map((name) => [name, new Set()]))
    for (const group of this.groups.values()) for (const host of group.hosts) for (const name of ancestors(group.name)) of.get(host)?.add(name)
    return new Map([...of].map(([host, names]) => {
      const real = [...names].filter((name) => name !== 'all' && name !== 'ungrouped')
      const groups = (real.length === 0 ? ['ungrouped'] : real).flatMap((name) => this.groups.get(name) ?? [])
      return [host, groups.toSorted((a, b) => depth(a.name) - depth(b.name) || a.priority - b.priority || byCodePoint(a.name, b.name))] as const
    }))
  }

  #tree(name: string, place: Place, depth: number): void {
    this.group(name)
    if (place.value === null) {
      this.#fields.mapped(place, `group ${name}`, 'empty')
      return
    }
    if (!isMap(place.value) || depth > 50) return this.#fields.refused(place, 'a group is a map with hosts, vars and children')
    if (Object.keys(place.value).length === 0) this.#fields.mapped(place, `group ${name}`, 'empty')
    for (const [key, section] of entriesOf(place)) {
      if (section.value === null || (typeof section.value === 'object' && Object.keys(section.value).length === 0)) this.#fields.mapped(section, `group ${name}`, 'empty')
      else if (key === 'vars') this.#variables(name, section)
      else if (key === 'hosts') this.#hosts(name, section)
      else if (key === 'children') this.#children(name, section, depth)
      else this.#fields.refused(section, 'a group has hosts, vars and children')
    }
  }

  #hosts(group: string, section: Place): void {
    if (typeof section.value === 'string') return this.#host(group, section.value, section)
    if (!isMap(section.value)) return this.#fields.refused(section, 'the hosts of a group are a map')
    for (const [pattern, place] of entriesOf(section)) {
      if (place.value === null || isMap(place.value)) this.addHosts(group, pattern, { place, variables: place })
      else this.#fields.refused(place, 'the variables of a host are a map')
    }
  }

  #children(group: string, section: Place, depth: number): void {
    if (typeof section.value === 'string') this.addChild(group, section.value, section)
    else if (Array.isArray(section.value)) {
      for (const child of itemsOf(section)) {
        if (typeof child.value === 'string') this.addChild(group, child.value, child)
        else this.#fields.refused(child, 'the name of a group is text')
      }
    } else if (!isMap(section.value)) this.#fields.refused(section, 'the children of a group are a map or a list')
    else {
      for (const [name, place] of entriesOf(section)) {
        this.#tree(name, place, depth + 1)
        if (name === group || this.#below(name).has(group)) this.#fields.refused(place, `${name} would be a child of itself`)
        else this.group(group).children.add(name)
      }
    }
  }

  #variables(group: string, section: Place | undefined): void {
    if (section !== undefined && !isMap(section.value)) this.#fields.refused(section, 'the variables of a group are a map')
    else this.setGroup(group, section)
  }

  /** A host by its name, which is no pattern. */
  #host(group: string, name: string, place: Place | undefined): void {
    if (this.hosts.size >= MAX_HOSTS && !this.hosts.has(name)) {
      if (place !== undefined) this.#fields.refused(place, `more than ${MAX_HOSTS} hosts are not imported`)
      return
    }
    const host: AnsibleHost = this.hosts.get(name) ?? { name, places: [], variables: new Map(), files: new Map() }
    this.hosts.set(name, host)
    if (place !== undefined) host.places.push(place)
    this.group(group).hosts.add(name)
  }

  /** Variables of a map, but for those that are refused already. */
  #taken(place: Place | undefined): Variables {
    const variables = new Map(entriesOf(place).filter(([, child]) => !this.#fields.has(child)).map(([key, child]) => [key, sourced(child)] as const))
    this.declared.push(variables)
    return variables
  }

  #below(name: string): ReadonlySet<string> {
    const found = new Set<string>()
    const walk = (group: string): void => {
      for (const child of this.groups.get(group)?.children ?? []) {
        if (found.has(child)) continue
        found.add(child)
        walk(child)
      }
    }
    walk(name)
    return found
  }
}

import { byCodePoint } from '../../schemas/canonical.ts'
import { parseAddress } from '../resolve/address.ts'
import { readIni } from './ansible-ini.ts'
import { AnsibleInventory } from './ansible-inventory.ts'
import type { AnsibleGroup, AnsibleHost } from './ansible-inventory.ts'
import type { Estate, Host } from './estate.ts'
import { at, isMap, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import type { ImportContext } from './import-context.ts'
import { readDocument, textOf, wholeFile } from './input.ts'
import type { InputFile } from './input.ts'
import { readToml } from './read-toml.ts'
import type { Sourced } from './sourced.ts'
import { ANSIBLE_YAML } from './yaml-dialects.ts'

/** `group_vars/web.yml`, `group_vars/web/10-ports.yml`. */
const VARS_FILE = /^(?:(.*)\/)?(group_vars|host_vars)\/(.+)$/
/** The first line that says something is a key: Ansible tries YAML before INI. */
const LOOKS_LIKE_YAML = /^(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:\{|---|(?:[^\s=[\]#;"']|"[^"\n]*"|'[^'\n]*')+:(?:\s|$))/
const EXTENSIONS = ['', '.yml', '.yaml', '.json']

/** An Ansible inventory: its files in the order of their names, then `group_vars` and `host_vars`. */
export function readAnsible(files: readonly InputFile[], { fields, report, network }: ImportContext): Estate {
  const inventory = new AnsibleInventory(fields)
  const ofVariables = files.filter(({ path }) => VARS_FILE.test(path))
  for (const file of files) if (!ofVariables.includes(file)) readInventory(file, inventory, { fields, report })
  readVariables(ofVariables, inventory, { fields, report })

  const groupsOf = inventory.groupsOf()
  const all = inventory.group('all')
  const hosts = [...inventory.hosts.values()].map((host): Host => {
    const groups = groupsOf.get(host.name) ?? []
    const variables = new Map<string, Sourced>([
      ...all.variables, ...groups.flatMap((group) => [...group.variables]), ...all.files, ...groups.flatMap((group) => [...group.files]), ...host.variables, ...host.files,
    ])
    const address = variables.get('ansible_host')
    const text = address !== undefined && 'place' in address && network !== undefined ? address.place.value : undefined
    const said = typeof text === 'string' && address !== undefined && 'place' in address && parseAddress(text) !== undefined ? { text, place: address.place } : undefined
    if (said !== undefined) variables.delete('ansible_host')
    return { name: host.name, places: host.places, groups: groups.map(({ name }) => name), variables, address: said }
  })
  const used = new Set(hosts.flatMap(({ groups }) => groups))
  for (const { name, places } of [inventory.groups.get('all'), inventory.groups.get('ungrouped')].flatMap((group) => group ?? [])) {
    for (const place of places) fields.mapped(place, name === 'all' ? 'nodes.yaml' : 'deployment.yaml')
  }
  const groups = [...inventory.groups.values()].filter(({ name }) => name !== 'all' && (name !== 'ungrouped' || used.has(name)))
  return {
    name: 'ansible', hosts, declared: inventory.declared,
    groups: groups.toSorted((a, b) => byCodePoint(a.name, b.name)).map(({ name, places }) => ({ name, places: name === 'ungrouped' ? [] : places, description: `The hosts of the Ansible group ${name}.` })),
  }
}

type Reading = Pick<ImportContext, 'fields' | 'report'>

function readInventory(file: InputFile, inventory: AnsibleInventory, { fields, report }: Reading): void {
  const source = textOf(file, report)
  const whole = (why: string): void => fields.refused(fields.add(wholeFile(file)), why)
  if (source === undefined) return whole('it could not be read')
  const { text } = source
  if (text.startsWith('#!')) return whole('a program is not run: give what it prints for `--list`')
  if (text.startsWith('$ANSIBLE_VAULT;')) return whole('it is encrypted as a whole: decrypt it for the import')
  if (text.trim() === '') return undefined
  if (/\.toml$/i.test(file.path)) {
    const document = readToml(source, report)
    return document === undefined ? whole('it could not be read') : inventory.addTree(fields.add(document))
  }
  if (/\.(ya?ml|json)$/i.test(file.path) || LOOKS_LIKE_YAML.test(text)) {
    const document = readDocument(file, ANSIBLE_YAML, report)
    if (document === undefined) return whole('it could not be read')
    const root = fields.add(document)
    return isScript(root) ? inventory.addScript(root) : inventory.addTree(root)
  }
  return readIniInventory(source, inventory, fields)
}

/** A script gives lists where a file has maps. */
function isScript(root: Place): boolean {
  if (at(root, '_meta') !== undefined) return true
  if (!isMap(root.value) || root.document.source.text.trimStart()[0] !== '{') return false
  return Object.values(root.value).some((group) => Array.isArray(group) || (isMap(group) && (Array.isArray(group['hosts']) || Array.isArray(group['children']))))
}

function readIniInventory(source: Parameters<typeof readIni>[0], inventory: AnsibleInventory, fields: Fields): void {
  const { document, problems, notes } = readIni(source)
  const root = fields.add(document)
  const bad = new Set<string>()
  for (const { pointer, problem } of problems) {
    fields.refused(at(root, ...pointer) as Place, problem)
    if (pointer[1] !== 'vars' && pointer[1] !== 'var') bad.add(String(pointer[0]))
  }
  let section = 'ungrouped'
  const undeclared = new Map<string, Place[]>()
  const declared = new Set(['all', 'ungrouped'])
  for (const line of Object.keys(document.value ?? {})) {
    const name = at(root, line, 'section')
    const of = at(root, line, 'of')
    if (name !== undefined) {
      section = textAt(name) ?? ''
      if (of?.value === 'vars') undeclared.set(section, [...undeclared.get(section) ?? [], name])
      else declared.add(section)
      inventory.group(section, name)
      if (of !== undefined && !bad.has(line)) inventory.group(section, of)
    }
    if (bad.has(line)) {
      const variables = at(root, line, 'vars')
      if (variables !== undefined) fields.refused(variables, 'its host is refused')
      continue
    }
    const child = at(root, line, 'child')
    const host = at(root, line, 'host')
    if (child !== undefined) {
      const group = textAt(child) ?? ''
      undeclared.set(group, [...undeclared.get(group) ?? [], child])
      inventory.addChild(section, group, child)
    } else if (host !== undefined) inventory.addHosts(section, textAt(host) ?? '', { place: host, variables: at(root, line, 'vars') })
    else inventory.setGroup(section, at(root, line, 'var'))
  }
  for (const [name, places] of undeclared) {
    if (declared.has(name) || inventory.isKnown(name)) continue
    for (const place of places) fields.refused(place, `there is no section [${name}]`)
    inventory.forget(name)
  }
  for (const { pointer, problem } of notes) fields.raw(at(root, ...pointer) as Place, problem)
}

function readVariables(files: readonly InputFile[], inventory: AnsibleInventory, { fields, report }: Reading): void {
  const sorted = files.toSorted((a, b) => byCodePoint(a.path, b.path))
  const chosen = new Map<string, number>()
  const parsed = sorted.flatMap((file) => {
    const [, folder = '', kind = '', rest = ''] = VARS_FILE.exec(file.path) ?? []
    const [first = '', ...deeper] = rest.split('/')
    const extension = deeper.length > 0 ? '' : (/\.(?:ya?ml|json)$/.exec(first)?.[0] ?? '')
    const name = first.slice(0, first.length - extension.length)
    const key = `${folder}/${kind}/${name}`
    const rank = EXTENSIONS.indexOf(extension)
    chosen.set(key, Math.min(chosen.get(key) ?? rank, rank))
    return [{ file, kind, name, key, rank, last: deeper.at(-1) ?? first, inFolder: deeper.length > 0 }]
  })
  for (const { file, kind, name, key, rank, last, inFolder } of parsed) {
    const of: AnsibleGroup | AnsibleHost | undefined = kind === 'group_vars' ? inventory.groups.get(name) : inventory.hosts.get(name)
    const ignored = rank !== chosen.get(key) ? 'Ansible reads another file of this name instead'
      : inFolder && (/^\.|~$/.test(last) || !/^[^.]*$|\.(?:ya?ml|json)$/.test(last)) ? 'Ansible does not read a file of this name'
        : of === undefined ? `there is no ${kind === 'group_vars' ? 'group' : 'host'} ${name}` : undefined
    const source = textOf(file, report)
    if (source === undefined || source.text.startsWith('$ANSIBLE_VAULT;')) {
      fields.refused(fields.add(wholeFile(file)), source === undefined ? 'it could not be read' : 'it is encrypted as a whole, so nobody can tell which variables it has: decrypt it for the import')
      continue
    }
    if (ignored !== undefined) {
      fields.beside(fields.add(wholeFile(file)), ignored)
      continue
    }
    const document = readDocument(file, ANSIBLE_YAML, report)
    if (document === undefined) {
      if (source.text.split('\n').some((line) => line.trim() !== '' && !/^\s*(#|---|\.\.\.)/.test(line))) fields.refused(fields.add(wholeFile(file)), 'it could not be read')
      continue
    }
    const root = fields.add(document)
    if (document.value === null) fields.mapped(root, 'nodes.yaml', 'empty')
    else if (!isMap(document.value)) fields.refused(root, 'variables are a map')
    else if (of !== undefined) {
      if (Object.keys(document.value).length === 0) fields.mapped(root, 'nodes.yaml', 'empty')
      inventory.setFile(of, root)
    }
  }
}

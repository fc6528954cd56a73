import { parseAddress } from '../resolve/address.ts'
import type { Estate, Host, ImportedFile } from './estate.ts'
import { at, entriesOf, isMap, itemsOf, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import type { ImportContext } from './import-context.ts'
import { readDocument, textOf, wholeFile } from './input.ts'
import type { InputFile } from './input.ts'
import { marksOf, saidAt } from './machine-facts.ts'
import { SaltPillar } from './salt-pillar.ts'
import { merged, sourced, variablesOf } from './sourced.ts'
import type { Sourced, Variables } from './sourced.ts'
import { writeEstate } from './write-estate.ts'
import { SALT_YAML } from './yaml-dialects.ts'

interface Minion {
  readonly places: Place[]
  grains: Place | undefined
  pillar: Variables
  roster: Variables
  address: Place | undefined
}

const IN_PILLAR = /(^|\/)pillars?\//

/** Keys of a roster entry that are passwords in plain text. */
const PASSWORDS: ReadonlySet<string> = new Set(['passwd', 'priv_passwd', 'sudo_passwd'])

/** Pillar without templates, rosters, and what `salt … --out=json` prints for pillar and grains. */
export function importSalt(files: readonly InputFile[], context: ImportContext): readonly ImportedFile[] {
  const { fields } = context
  const minions = new Map<string, Minion>()
  const minion = (id: string): Minion => {
    const known = minions.get(id) ?? { places: [], grains: undefined, pillar: new Map(), roster: new Map(), address: undefined }
    minions.set(id, known)
    return known
  }
  const pillar = new SaltPillar(fields)
  const declared: Variables[] = []
  const inPillar = files.some(({ path }) => path.endsWith('.sls') && IN_PILLAR.test(path))
  for (const file of files) {
    const place = read(file, context)
    if (place === undefined) continue
    const base = file.path.split('/').at(-1) ?? ''
    if (base.endsWith('.sls')) {
      if (inPillar && !IN_PILLAR.test(file.path)) fields.refused(place, 'it is below no folder `pillar`, as others are: states are not read')
      else pillar.add(file.path, place)
    } else if (!isMap(place.value)) fields.refused(place, 'it is a map of minions')
    else if (/^roster|\.roster$/.test(base)) {
      for (const [id, entry] of entriesOf(place)) {
        if (typeof entry.value === 'string' || (isMap(entry.value) && Object.keys(entry.value).length > 0)) readRoster(minion(id), entry, fields)
        else fields.refused(entry, 'an entry of a roster is a map with `host`')
      }
    } else if (/(^|\/)grains/.test(file.path)) {
      const own = /(?:^|\/)grains(?:\.d)?\/([^/]+?)(?:\.ya?ml|\.json|\.conf)?$/.exec(file.path)?.[1]
      for (const [id, entry] of byMinion(place, own ?? ownerOf(place))) {
        if (!isMap(entry.value)) {
          fields.refused(entry, own === undefined && id !== 'local' ? 'nothing says whose grains these are: call the file `grains/MINION.yml`' : 'grains are a map')
          continue
        }
        minion(id).grains = entry
        minion(id).places.push(...[at(entry, 'id')].filter((one) => one !== undefined))
        if (Object.keys(entry.value).length === 0) minion(id).places.push(entry)
        fields.beside(entry, 'a grain that nothing here reads')
      }
    } else if (/\.conf$|^(?:master|minion|proxy|cloud|Saltfile)$/.test(base)) fields.refused(place, 'the configuration of Salt is not read')
    else {
      for (const [id, entry] of byMinion(place, undefined)) {
        if (!isMap(entry.value)) {
          fields.refused(entry, 'what is said of a minion is a map')
          continue
        }
        const values = variablesOf(entry)
        minion(id).pillar = merged(minion(id).pillar, values)
        if (values.size === 0) minion(id).places.push(entry)
        declared.push(values)
      }
    }
  }
  for (const id of pillar.named()) minion(id)
  const groups = new Map<string, Place[]>()
  const hosts = [...minions].map(([name, one]): Host => {
    const variables = merged(pillar.of(name, one.grains), one.pillar, one.roster.size === 0 ? new Map<string, Sourced>() : new Map([['roster', { map: one.roster }]]))
    const said = at(one.grains, 'roles')
    const roles = [...(typeof said?.value === 'string' ? [said] : itemsOf(said)), ...itemsOf(at(one.grains, 'crowbar', 'roles'))].filter(({ value }) => typeof value === 'string')
    for (const role of roles) groups.set(textAt(role) ?? '', [...groups.get(textAt(role) ?? '') ?? [], role])
    const { uuid, serial } = marksOf({ uuid: saidAt(at(one.grains, 'uuid')), serial: saidAt(at(one.grains, 'serialnumber')) })
    const address = context.network === undefined || parseAddress(textAt(one.address) ?? '') === undefined ? undefined : saidAt(one.address)
    return { name, places: one.places, groups: roles.map((role) => textAt(role) ?? ''), variables, address, machine: uuid === undefined ? (serial === undefined ? {} : { serial }) : { uuid: { ...uuid, text: uuid.text.trim().toLowerCase() } } }
  })
  declared.push(...pillar.declared())
  const estate: Estate = { name: 'salt', hosts, declared, groups: [...groups].map(([name, places]) => ({ name, places, description: `The minions with the role ${name} in their grains.` })) }
  return writeEstate(estate, context)
}

/** A file as its renderer gives it; templates are refused, at the place of the first. */
function read(file: InputFile, { fields, report }: ImportContext): Place | undefined {
  const refuse = (why: string): undefined => {
    fields.refused(fields.add(wholeFile(file)), why)
    return undefined
  }
  const source = textOf(file, report)
  if (source === undefined) return refuse('it could not be read')
  const renderer = /^#!(\S+)/.exec(source.text)?.[1] ?? (/\.json$/i.test(file.path) ? 'json' : 'jinja|yaml')
  const parts = renderer.split('|').filter((part) => part !== 'gpg')
  if (parts.some((part) => !['jinja', 'yaml', 'json'].includes(part))) return refuse(`the renderer ${renderer} is not run: give what \`salt '*' pillar.items --out=json --static\` prints`)
  const template = parts.includes('jinja') ? /\{\{|\{%|\{#/.exec(source.text) : null
  if (template !== null) {
    const before = source.text.slice(0, template.index).split('\n')
    return refuse(`a template begins in line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}, and is not carried out: give what \`salt '*' pillar.items --out=json --static\` prints`)
  }
  const bytes = source.text.startsWith('#!') ? new TextEncoder().encode(source.text.replace(/^#![^\n]*/, (line) => `#${' '.repeat(line.length - 1)}`)) : file.bytes
  const json = parts.at(-1) === 'json' ? new TextEncoder().encode(source.text.replace(/^#![^\n]*/, (line) => ' '.repeat(line.length))) : bytes
  const document = readDocument({ path: file.path, bytes: json }, SALT_YAML, report, 'many')
  if (document !== undefined) return fields.add(document)
  return source.text.split('\n').every((line) => /^\s*(#|---|$)/.test(line)) ? undefined : refuse('it could not be read')
}

/** Minion → what is said of it: `{ local: … }`, `{ id: … }` of several, or a file of its own. */
function byMinion(place: Place, own: string | undefined): readonly (readonly [string, Place])[] {
  if (own !== undefined) return [[own, place]]
  return entriesOf(place).map(([id, entry]) => [id === 'local' ? (textAt(entry, 'id') ?? 'local') : id, entry])
}

/** The minion whose own grains a file has, when they say it and are not those of several. */
function ownerOf(place: Place): string | undefined {
  return entriesOf(place).every(([, entry]) => isMap(entry.value)) ? undefined : (textAt(place, 'id') ?? textAt(place, 'fqdn') ?? textAt(place, 'nodename'))
}

function readRoster(minion: Minion, entry: Place, fields: Fields): void {
  if (typeof entry.value === 'string') minion.address = entry
  minion.places.push(entry)
  minion.address ??= at(entry, 'host')
  minion.roster = new Map(entriesOf(entry).flatMap(([key, child]) => {
    if (!PASSWORDS.has(key)) return [[key, sourced(child)]]
    fields.refused(child, 'a password in plain text is not copied: make it a secret with `crowbar secret set`')
    return []
  }))
}

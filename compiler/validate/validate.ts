import { byCodePoint } from '../../schemas/canonical.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { DocumentOf } from '../../schemas/documents/kinds.ts'
import { completeInventory, diskId, inventoryShape } from '../../schemas/inventory.ts'
import type { InventoryDocument } from '../../schemas/inventory.ts'
import { lockShape } from '../../schemas/lock.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { INVENTORY_FOLDER, LOCK_PATH } from '../parse/choose.ts'
import { rangeOf } from '../parse/document.ts'
import type { SourceDocument } from '../parse/document.ts'
import type { Tree } from '../tree/tree.ts'
import { checkAgainst, checkDocument } from './check-document.ts'
import type { AnyDocument } from './check-document.ts'
import { collectNodes } from './nodes.ts'
import { leadsOut } from './leads-out.ts'
import type { Located, Site } from './site.ts'

/**
 * Checks every document by itself, finds those that are there twice, and expands ranges and tables.
 *
 * @param documents what `parse` read of the tree, all of it: an absent site document is reported.
 * @returns undefined only when there is no site document to go on with, or several sites in folders of their own.
 */
export function validate(tree: Tree, documents: readonly SourceDocument[], report: Report): Site | undefined {
  if (hasSeveralSites(documents, report)) return undefined
  const inventory: Located<InventoryDocument>[] = []
  const checked: AnyDocument[] = []
  let lock: Site['lock'] = null
  for (const document of documents) {
    if (document.path === LOCK_PATH) lock = checkLock(document, report)
    else if (document.path.startsWith(INVENTORY_FOLDER)) inventory.push(...checkInventory(document, report))
    else {
      const found = checkDocument(document, report)
      if (found !== undefined) checked.push(found)
    }
  }
  const ofKind = <K extends AnyDocument['kind']>(kind: K): readonly Located<DocumentOf<K>>[] => checked.filter((document) => document.kind === kind) as unknown as readonly Located<DocumentOf<K>>[]
  const named = <K extends NamedKind>(kind: K): ReadonlyMap<string, Located<DocumentOf<K>>> => byKey(ofKind(kind), 'name', { what: kind, report })
  const site = onlySite(ofKind('site'), { documents, report })
  const rest = {
    nodes: collectNodes(ofKind('nodes'), ofKind('node'), { tree, report }),
    machines: ofKind('machine').map((document) => checkMachine(document, report)),
    inventory: byKey(inventory, 'id', { what: 'machine', report }),
    networks: named('network'),
    conduits: named('conduit'),
    rules: named('rule'),
    hardware: named('hardware'),
    systems: named('os'),
    sources: named('source'),
    deployments: named('deployment'),
    operations: named('operation'),
    policies: named('policy'),
    racks: named('rack'),
    agents: byKey(ofKind('agent'), 'node', { what: 'agent', report }),
    barclamps: new Map(ofKind('barclamp').map((document) => [document.source.path, document])),
    lock,
  }
  return site === undefined ? undefined : { site, ...rest }
}

type NamedKind = 'network' | 'conduit' | 'rule' | 'hardware' | 'os' | 'source' | 'deployment' | 'operation' | 'policy' | 'rack'

/** Whether the folders of two sites lie beside each other, so that all else would be said of documents that have nothing to do with each other. */
function hasSeveralSites(documents: readonly SourceDocument[], report: Report): boolean {
  const [first, ...others] = documents.filter((document) => fieldOf(document, 'kind') === 'site')
  if (first === undefined) return false
  const apart = others.filter(({ path }) => !path.startsWith(folderOf(first.path)) && !first.path.startsWith(folderOf(path)))
  for (const other of apart) {
    const related = [{ message: 'another one is here', range: rangeOf(first, ['kind']) }]
    report(error('SITE_DUPLICATE', rangeOf(other, ['kind']), `${folderOf(first.path)} and ${folderOf(other.path)} are two sites.`, { related, fix: `Name one of them: --site ${folderOf(first.path).slice(0, -1)}.` }))
  }
  return apart.length > 0
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

function onlySite(sites: readonly Located<DocumentOf<'site'>>[], { documents, report }: { readonly documents: readonly SourceDocument[]; readonly report: Report }): Site['site'] | undefined {
  const [site, ...others] = sites
  for (const other of others) {
    const related = [{ message: 'first defined here', range: rangeOf((site as Located<unknown>).source, ['kind']) }]
    report(error('SITE_DUPLICATE', rangeOf(other.source, ['kind']), 'There is a second document of kind site.', { related, fix: 'Keep one of them.' }))
  }
  for (const [index, entry] of (site?.value.barclamps ?? []).entries()) {
    if (site === undefined || entry === 'builtin' || 'git' in entry || !leadsOut(entry.path)) continue
    report(error('PATH_OUTSIDE', rangeOf(site.source, ['barclamps', index, 'path']), `The folder ${entry.path} lies outside of the repository.`, { fix: 'Copy the barclamps into the repository.' }))
  }
  // A site document that is there and wrong has been reported already.
  const claimed = documents.some((document) => fieldOf(document, 'kind') === 'site')
  if (!claimed) {
    report(error('NOT_A_SITE', undefined, 'No document of kind site is here, so this is no site repository.', { fix: 'Name the folder of the site with --site DIR, or make one with `crowbar init DIR`.' }))
  }
  return site
}

function byKey<T>(documents: readonly Located<T>[], key: keyof T & string, { what, report }: { readonly what: string; readonly report: Report }): ReadonlyMap<string, Located<T>> {
  const found = new Map<string, Located<T>>()
  for (const document of documents) {
    const name = document.value[key] as string
    const first = found.get(name)
    if (first === undefined) {
      found.set(name, document)
      continue
    }
    const related = [{ message: 'first defined here', range: rangeOf(first.source, [key]) }]
    const summary = what === 'agent' ? `There are two documents of kind agent for the node ${name}.` : `There are two documents of kind ${what} named ${name}.`
    report(error('DUPLICATE_DOCUMENT', rangeOf(document.source, [key]), summary, { related, fix: 'Rename one of them, or make it one document.' }))
  }
  return new Map([...found].toSorted(([a], [b]) => byCodePoint(a, b)))
}

function checkMachine(document: Located<DocumentOf<'machine'>>, report: Report): Located<DocumentOf<'machine'>> {
  const { value, source } = document
  if (value.serial === undefined && value.uuid === undefined && value.mac === undefined) {
    report(error('FIELD_MISSING', rangeOf(source, ['kind']), 'A machine needs a `serial`, `uuid` or `mac`, so that it can be told from others.'))
  }
  return value.mac === undefined ? document : { source, value: { ...value, mac: value.mac.toLowerCase() } }
}

function checkInventory(document: SourceDocument, report: Report): readonly Located<InventoryDocument>[] {
  const checked = checkAgainst(document, inventoryShape, { owner: 'an inventory file', report })
  if (checked === undefined) return []
  const expected = document.path.slice(INVENTORY_FOLDER.length, -'.json'.length)
  if (checked.value.id !== expected) {
    report(error('VALUE_INVALID', rangeOf(document, ['id']), `The id is ${checked.value.id}, but the file is named ${expected}.json.`, { fix: 'The agent writes these files: restore the one that was there.' }))
    return []
  }
  const value = completeInventory(checked.value)
  const names = new Set<string>()
  for (const [index, disk] of value.facts.disks.entries()) {
    const id = diskId(disk)
    if (id !== diskId(NAMELESS) && !names.has(id)) {
      names.add(id)
      continue
    }
    report(error('VALUE_INVALID', rangeOf(document, ['facts', 'disks', index]), id === diskId(NAMELESS) ? 'This disk has no WWN, serial or path, so nothing could name it.' : `Two disks of this machine are ${id}.`, { fix: 'Give each a `serial`, `wwn` or `path` of its own.' }))
    return []
  }
  return [{ source: checked.source, value }]
}

const NAMELESS = { wwn: '', serial: '', path: '' }

/** A lock is written by Crowbar, so that what is wrong with it has one code and one way out. */
function checkLock(document: SourceDocument, report: Report): Site['lock'] {
  const fix = 'Crowbar writes this file: restore it from the last commit.'
  const reportAsLock: Report = (found) => report({ ...found, code: 'LOCK_INVALID', fix: found.fix ?? fix })
  const version = fieldOf(document, 'version')
  if (typeof version === 'number' && version > 1) {
    report(error('LOCK_INVALID', rangeOf(document, ['version']), `The lock has version ${version}, which this Crowbar does not know.`, { fix: 'Use the Crowbar that wrote it, or a newer one.' }))
    return null
  }
  return checkAgainst(document, lockShape, { owner: 'the lock', report: reportAsLock }) ?? null
}

function fieldOf({ value }: SourceDocument, key: string): Json | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && Object.hasOwn(value, key) ? (value as { readonly [key: string]: Json })[key] : undefined
}

import type { OsDocument } from '../../schemas/documents/rule.ts'
import type { RoleDeclaration } from '../../schemas/documents/barclamp.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { own } from '../../schemas/own.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { parseFile } from '../parse/parse.ts'
import { collectRoles, isForPeople } from '../resolve/load-barclamps.ts'
import type { ResolvedBarclamp } from '../resolve/resolved-site.ts'
import { parseRequirement } from '../resolve/version.ts'
import { discoveryProblems } from '../bind/discovery-role.ts'
import { rangeOfFile } from '../tree/listing.ts'
import { checkDocument } from '../validate/check-document.ts'
import { lintAttributes } from './lint-attributes.ts'
import { lintExpressions } from './lint-expressions.ts'
import { readBarclamp } from './read-barclamp.ts'
import type { BarclampFolder } from './read-barclamp.ts'

const ENTRIES = ['run', 'remove', 'check', 'drain', 'resume', 'upgrade', 'preview'] as const

/** Says of a barclamp, without a site around it, what is wrong and what will puzzle who uses it. */
export function lintBarclamp(folder: BarclampFolder, builtinSystems: readonly OsDocument[], report: Report): void {
  const barclamp = readBarclamp(folder, report)
  if (barclamp === undefined) return
  const { value, source } = barclamp.document
  collectRoles(new Map([[barclamp.name, barclamp]]), report)
  for (const [i, text] of (value.requires ?? []).entries()) {
    if (parseRequirement(text) === undefined) report(error('VALUE_INVALID', rangeOf(source, ['requires', i]), `${JSON.stringify(text)} does not say which barclamp is required.`, { fix: 'Write its name, and versions after it if they matter: "ntp", "ntp >=1.2 <2", "ntp ^1.2".' }))
  }
  lintAttributes(barclamp, report)
  lintExpressions(barclamp, report)
  lintSystems(barclamp, [...builtinSystems, ...ownSystems(folder)], report)
  for (const [name, role] of Object.entries(value.roles ?? {})) lintRole(barclamp, { name, role }, report)
  lintFiles(barclamp, folder, report)
  if (![...folder.tree.files.keys()].some((path) => path.startsWith(`${folder.folder}tests/`) && /\.ya?ml$/.test(path))) {
    report(warning('LINT_TESTS', rangeOf(source, ['name']), `${barclamp.name} has no test cases.`, { fix: 'Write one in tests/, and run it with `crowbar barclamp test`.' }))
  }
}

interface NamedRole {
  readonly name: string
  readonly role: RoleDeclaration
}

function lintRole(barclamp: ResolvedBarclamp, { name, role }: NamedRole, report: Report): void {
  const { value, source } = barclamp.document
  const at = (...pointer: readonly (string | number)[]) => rangeOf(source, ['roles', name, ...pointer])
  if (role.description === undefined) report(warning('LINT_DESCRIPTION', rangeOf(source, ['roles', name], 'key'), `The role ${name} has no description.`))
  for (const field of ['requires', 'conflicts', 'actsAs'] as const) {
    for (const [i, other] of (role[field] ?? []).entries()) if (other === name) report(error('LINT_ROLE', at(field, i), `${name} names itself in \`${field}\`.`, { fix: 'Take it away.' }))
  }
  if (role.flags?.includes('destructive') === true && (role.retries?.max ?? 0) > 0) report(error('LINT_ROLE', at('retries'), `${name} is destructive, and what destroys is never repeated unasked.`, { fix: 'Take `retries` away.' }))
  if (role.flags?.includes('discovery') === true) for (const { pointer, summary, fix } of discoveryProblems(name, role, barclamp)) report(error('LINT_ROLE', at(...pointer), summary, { fix }))
  if (role.flags?.includes('service') === true) {
    for (const [provide, { value: given }] of Object.entries(role.provides ?? {})) {
      const wants = Object.values(value.roles ?? {}).flatMap((other) => Object.values(other.wants ?? {})).filter((want) => want.from === name && want.provide === provide)
      if (given === undefined && (wants.length === 0 || wants.some(({ optional }) => optional !== true))) report(warning('LINT_ROLE', at('provides', provide), `${provide} of the service ${name} is known only when a step of ours ran, so who wants it cannot use one that somebody else runs.`, { fix: 'Give it a `value`, if it can have one, or let wants of it be `optional`.' }))
    }
  }
  for (const [want, { attribute }] of Object.entries(role.wants ?? {})) {
    const other = attribute?.split('.')[0]
    if (other === undefined || other === barclamp.name || (value.requires ?? []).some((text) => parseRequirement(text)?.name === other)) continue
    report(warning('LINT_ROLE', at('wants', want, 'attribute'), `${name} wants an attribute of ${other}, which the barclamp does not require.`, { fix: `Add ${other} to \`requires\`.` }))
  }
  if (role.jig !== 'script') return
  for (const field of ENTRIES) {
    const given = role[field]
    const entry = typeof given === 'object' ? given.run : given
    const file = entry === undefined ? undefined : barclamp.files.get(entry)
    if (file === undefined) continue
    const range = rangeOfFile(source.path.slice(0, -'barclamp.yaml'.length) + entry)
    if (!Buffer.from(file.content.subarray(0, 2)).equals(Buffer.from('#!'))) report(warning('LINT_SCRIPT', range, `The script ${entry} does not say what runs it.`, { fix: 'Begin it with a line such as #!/bin/sh.' }))
    if (file.mode !== '0755') report(warning('LINT_SCRIPT', range, `The script ${entry} has no run bit: nodes run it all the same, people cannot.`, { fix: `chmod +x ${entry}` }))
  }
}

function ownSystems({ tree, folder }: BarclampFolder): readonly OsDocument[] {
  const files = [...tree.files.keys()].filter((path) => path.startsWith(`${folder}documents/`) && /\.ya?ml$/.test(path))
  const documents = files.flatMap((path) => parseFile(tree, path, () => {})).map((document) => checkDocument(document, () => {}))
  return documents.flatMap((document) => (document?.kind === 'os' ? [document.value] : []))
}

function lintSystems({ document: { value, source } }: ResolvedBarclamp, systems: readonly OsDocument[], report: Report): void {
  const known = new Set(systems.flatMap(({ name, family }) => [name, family]))
  const check = (name: string, pointer: readonly (string | number)[], what: 'key' | 'value'): void => {
    if (known.has(name)) return
    const near = suggest(name, known)
    report(warning('LINT_OS_UNKNOWN', rangeOf(source, pointer, what), `${name} is neither the name nor the family of an operating system that Crowbar or this barclamp has.`, { fix: near === undefined ? 'That is right where sites bring their own; else nothing matches it.' : `Did you mean ${near}?` }))
  }
  for (const name of Object.keys(value.osAttributes ?? {})) check(name, ['osAttributes', name], 'key')
  for (const [role, { os, packages }] of Object.entries(value.roles ?? {})) {
    for (const [i, name] of (os ?? []).entries()) check(name, ['roles', role, 'os', i], 'value')
    for (const name of Object.keys(packages ?? {})) check(name, ['roles', role, 'packages', name], 'key')
  }
}

/** A file is used when a role names it, or when a file that is used speaks of it by its path or name. */
function lintFiles({ files, document: { value, source } }: ResolvedBarclamp, { folder }: BarclampFolder, report: Report): void {
  const entries = Object.values(value.roles ?? {}).flatMap((role) => ENTRIES.map((field) => role[field])).map((entry) => (typeof entry === 'object' ? entry.run : entry))
  const used = new Set(entries.filter((entry) => entry !== undefined && files.has(entry)) as string[])
  const rest = new Set([...files.keys()].filter((path) => !used.has(path) && path !== 'barclamp.yaml' && !path.startsWith('documents/') && !isForPeople(path)))
  const work = [...used]
  for (let path = work.pop(); path !== undefined; path = work.pop()) {
    const text = new TextDecoder('latin1').decode(files.get(path)?.content.subarray(0, 1024 * 1024))
    for (const other of rest) {
      const name = other.slice(other.lastIndexOf('/') + 1)
      const around = other.includes('/') ? other.slice(0, other.indexOf('/') + 1) : other
      if (!text.includes(name) && !text.includes(around)) continue
      rest.delete(other)
      work.push(other)
    }
  }
  // What a library lends is used by others; a tool other than a shell finds its files by rules of its own.
  const lent = Object.values(value.roles ?? {}).some(({ flags, jig }) => flags?.includes('library') === true || (jig !== undefined && own({ script: true, noop: true, test: true }, jig) === undefined))
  if (lent) return
  for (const path of rest) report(warning('LINT_FILE_UNUSED', rangeOfFile(folder + path), 'No role names this file, and no file that one names speaks of it; it is sent to nodes all the same.', { related: [{ message: 'the roles', range: rangeOf(source, value.roles === undefined ? ['name'] : ['roles'], 'key') }], fix: 'Remove it, or move it to tests/ if it is for those.' }))
}

import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { compile } from '../compile.ts'
import type { GitTrees } from '../resolve/git-source.ts'
import type { Tree } from '../tree/tree.ts'
import { CASE_BARCLAMPS, caseSite } from './case-site.ts'
import type { BarclampFolder } from './read-barclamp.ts'
import { supposedSecrets } from './supposed-secrets.ts'
import type { TestCase } from './test-case.ts'

/** Something that is not as a case expects it, in one line. */
export interface CaseFailure {
  readonly what: string
  /** A diagnostic that was not expected, with places in the folders that were read. */
  readonly diagnostic?: Diagnostic
}

export interface RunCase {
  /** The barclamp itself first, then those that it is tested with. */
  readonly barclamps: readonly BarclampFolder[]
  /** What ships with Crowbar, by paths that begin with `builtin:`. */
  readonly builtin: Tree
  /** What barclamps take from elsewhere. */
  readonly gitTrees: GitTrees
}

/** Compiles the site of a case, and says everything that is not as it expects. Empty: the case passes. */
export function runCase(test: TestCase, { barclamps, builtin, gitTrees }: RunCase): readonly CaseFailure[] {
  const tree = caseSite(test, barclamps)
  const compiled = compile({ tree, builtin, gitTrees, crowbar: 'test', secrets: supposedSecrets() })
  const failures = compareDiagnostics(compiled.diagnostics, test, barclamps)
  if (compiled.plan === null) return failures
  return [...failures, ...compareDocuments(compiled.plan, test), ...compareOrder(compiled.plan, test)]
}

/** Errors and warnings are told by their codes; those that nobody expects are failures only when they are errors. */
function compareDiagnostics(found: readonly Diagnostic[], { expect }: TestCase, barclamps: readonly BarclampFolder[]): readonly CaseFailure[] {
  const expected = new Set(expect.diagnostics)
  const told = new Set<string>(found.map(({ code }) => code))
  const missing = [...expected].filter((code) => !told.has(code)).map((code): CaseFailure => ({ what: `${code} is not reported` }))
  const unexpected = found.filter(({ code, severity }) => severity === 'error' && !expected.has(code))
  return [...missing, ...unexpected.map((diagnostic): CaseFailure => ({ what: `${diagnostic.code} is reported: ${diagnostic.summary}`, diagnostic: inFolders(diagnostic, barclamps) }))]
}

/** Places in the barclamps as they were read; those in the site of the case are nowhere that its author could look. */
function inFolders(diagnostic: Diagnostic, barclamps: readonly BarclampFolder[]): Diagnostic {
  const moved = (range: Range | undefined): { readonly range: Range } | undefined => {
    const [, number, path] = new RegExp(`^${CASE_BARCLAMPS}([0-9]+)/(.*)$`).exec(range?.path ?? '') ?? []
    return range === undefined || path === undefined ? undefined : { range: { ...range, path: `${barclamps[Number(number)]?.folder ?? ''}${path}` } }
  }
  const { range, related, ...said } = diagnostic
  const others = related.map(({ message, range: other }) => ({ message, ...moved(other) }))
  return { ...said, ...moved(range), related: others.filter((other): other is Diagnostic['related'][number] => 'range' in other) }
}

function compareDocuments(plan: Plan, { expect }: TestCase): readonly CaseFailure[] {
  return Object.entries(expect.documents ?? {}).flatMap(([name, expected]) => {
    const step = stepNamed(plan, name)
    if (step === undefined) return [noStep(plan, name)]
    const document = stepDocument(step, plan.values)
    if (document === null) return [{ what: `${name} has no document before its machine is known` }]
    return differences(expected as Json, document as Json, '').map((difference) => ({ what: `${name} ${difference}` }))
  })
}

function compareOrder(plan: Plan, { expect }: TestCase): readonly CaseFailure[] {
  const failures: CaseFailure[] = []
  let before: { readonly name: string; readonly place: number } | undefined
  for (const name of expect.order ?? []) {
    const step = stepNamed(plan, name)
    if (step === undefined) {
      failures.push(noStep(plan, name))
      continue
    }
    const place = plan.steps.indexOf(step)
    if (before !== undefined && place <= before.place) failures.push({ what: `${name} comes before ${before.name}` })
    before = { name, place }
  }
  for (const name of expect.absent ?? []) if (stepNamed(plan, name) !== undefined) failures.push({ what: `there is a step ${name}` })
  return failures
}

/** A step by its id, or by that without the deployment of the case. */
function stepNamed({ steps }: Plan, name: string): Plan['steps'][number] | undefined {
  return steps.find(({ id }) => id === name) ?? steps.find(({ id }) => id === `test/${name}`)
}

function noStep({ steps }: Plan, name: string): CaseFailure {
  const near = suggest(name, steps.map(({ id }) => id.replace(/^test\//, '')))
  return { what: `there is no step ${name}${near === undefined ? '' : `; did you mean ${near}?`}` }
}

/** Maps may hold more than is expected of them; lists and everything else have to be the same. */
function differences(expected: Json, actual: Json | undefined, path: string): readonly string[] {
  const at = path === '' ? 'its document' : path
  if (actual === undefined) return [`${at}: expected ${JSON.stringify(expected)}, and there is nothing`]
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) return expected.flatMap((item, i) => differences(item as Json, actual[i] as Json, `${path}[${i}]`))
  if (isMap(expected) && isMap(actual)) return Object.entries(expected).flatMap(([key, value]) => differences(value, Object.hasOwn(actual, key) ? actual[key] : undefined, path === '' ? key : `${path}.${key}`))
  return JSON.stringify(expected) === JSON.stringify(actual) ? [] : [`${at}: expected ${JSON.stringify(expected)}, is ${JSON.stringify(actual)}`]
}

function isMap(value: Json): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

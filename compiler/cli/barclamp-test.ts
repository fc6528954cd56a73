import { join } from 'node:path'
import type { BarclampFolder } from '../barclamp/read-barclamp.ts'
import { readBarclamp } from '../barclamp/read-barclamp.ts'
import { runCase } from '../barclamp/run-case.ts'
import type { CaseFailure } from '../barclamp/run-case.ts'
import { readCases } from '../barclamp/test-case.ts'
import { error, hasErrors } from '../diagnostics/diagnostic.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import { barclampsBelow, readBarclampFolder } from './barclamp-folders.ts'
import { gitTrees } from './git-trees.ts'
import { collector, EXIT, formatOf, readBuiltin, tell } from './session.ts'

interface CaseResult {
  readonly file: string
  readonly name: string
  readonly ok: boolean
  readonly failures: readonly CaseFailure[]
}

/** `crowbar barclamp test`: a line a case on stdout; what cannot be read is told on stderr. */
export function barclampTestCommand(dir: string, options: { readonly format: string }): number {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const { found, report } = collector()
  const own = readBarclampFolder(dir, report)
  const barclamp = own === undefined ? undefined : readBarclamp(own, report)
  const cases = own === undefined || barclamp === undefined ? [] : readCases(own, report)
  if (own === undefined || barclamp === undefined || hasErrors(found)) {
    tell(found, own?.tree)
    return EXIT.fault
  }
  const builtin = readBuiltin()
  // No lock says which commit a tag is: a case takes the one that it is today.
  const trees = gitTrees({ ask: 'new' })
  const others = new Map<string, readonly BarclampFolder[]>()
  const results = cases.map(({ name, value, source }): CaseResult => {
    const beside = (value.barclamps ?? []).flatMap((path, i) => {
      const problems = collector()
      const known = others.get(path) ?? barclampsOf(join(dir, path), problems.report)
      others.set(path, known)
      for (const problem of problems.found) report(error(problem.code as 'FOLDER_UNREADABLE', rangeOf(source, ['barclamps', i]), problem.summary))
      return known
    })
    const failures = runCase(value, { barclamps: [own, ...beside], builtin, gitTrees: trees })
    return { file: source.path, name, ok: failures.length === 0, failures }
  })
  if (hasErrors(found)) {
    tell(found, own.tree)
    return EXIT.fault
  }
  if (format === 'json') process.stdout.write(`${JSON.stringify({ barclamp: barclamp.name, cases: results }, null, 2)}\n`)
  else process.stdout.write(textOf(results))
  const failed = results.filter(({ ok }) => !ok).length
  const told = results.length === 0 ? `${barclamp.name} has no cases: write one in ${join(dir, 'tests')}` : `${results.length} case${results.length === 1 ? '' : 's'}, ${failed === 0 ? 'all pass' : `${failed} failed`}`
  process.stderr.write(`${told}\n`)
  return failed > 0 || results.length === 0 ? EXIT.fault : EXIT.done
}

function barclampsOf(dir: string, report: Parameters<typeof readBarclampFolder>[1]): readonly BarclampFolder[] {
  const folder = readBarclampFolder(dir, report)
  return folder === undefined ? [] : barclampsBelow(folder)
}

function textOf(results: readonly CaseResult[]): string {
  return results.map(({ file, name, ok, failures }) => {
    const lines = failures.map(({ what, diagnostic }) => `        ${what}${diagnostic?.range === undefined ? '' : ` (${placeOf(diagnostic.range)})`}\n`)
    return `${ok ? 'ok    ' : 'FAIL  '}${file}: ${name}\n${lines.join('')}`
  }).join('')
}

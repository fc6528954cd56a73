import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import { CODES } from './codes.ts'
import type { Code } from './codes.ts'

/** Diagnostics as one SARIF 2.1.0 log, for code scanning. */
export function renderSarif(diagnostics: readonly Diagnostic[], version: string): string {
  const codes = [...new Set(diagnostics.map(({ code }) => code))].toSorted()
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'crowbar', version, rules: codes.map((id) => ({ id, shortDescription: { text: CODES[id as Code] ?? id } })) } },
        columnKind: 'utf16CodeUnits',
        results: diagnostics.map((diagnostic) => resultOf(diagnostic, codes.indexOf(diagnostic.code))),
      },
    ],
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

function resultOf({ code, severity, summary, detail, fix, range, related }: Diagnostic, ruleIndex: number): object {
  return {
    ruleId: code,
    ruleIndex,
    level: severity === 'info' ? 'note' : severity,
    message: { text: [summary, detail, fix].filter((text) => text !== undefined).join('\n') },
    ...(range === undefined ? {} : { locations: [locationOf(range)] }),
    ...(related.length === 0 ? {} : { relatedLocations: related.map(({ message, range: other }) => ({ ...locationOf(other), message: { text: message } })) }),
  }
}

function locationOf({ path, start, end }: Range): object {
  const uri = path.split('/').map(encodeURIComponent).join('/')
  return { physicalLocation: { artifactLocation: { uri }, region: { startLine: start.line, startColumn: start.column, endLine: end.line, endColumn: end.column } } }
}

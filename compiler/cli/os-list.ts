import { byCodePoint } from '../../schemas/canonical.ts'
import { sourcesOfOs } from '../../schemas/documents/rule.ts'
import { rangeOf, placeOf } from '../parse/document.ts'
import { foldNames } from '../print/fold-names.ts'
import { compileSite } from './compile-site.ts'
import type { SiteArguments } from './compile-site.ts'
import { EXIT, formatOf, tell } from './session.ts'

/** `crowbar os list`: the operating systems that nodes of this site can have, and which nodes have them. */
export async function osListCommand(options: SiteArguments & { readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const { tree, compiled, diagnostics } = await compileSite(options)
  tell(diagnostics, tree)
  if (compiled === undefined) return EXIT.fault
  const { systems } = compiled.ordered.injected.allocated.bound.resolved
  const nodes = Map.groupBy(Object.entries(compiled.plan.nodes), ([, { os }]) => os)
  const found = [...systems.values()]
    .toSorted((a, b) => byCodePoint(a.value.name, b.value.name))
    .map(({ value, value: { name, family, version, architecture, install }, source: document }) => ({ name, family, version, architecture, install, source: sourcesOfOs(value)[0] ?? null, moreSources: sourcesOfOs(value).slice(1), nodes: (nodes.get(name) ?? []).map(([node]) => node), at: placeOf(rangeOf(document, ['name'])) }))
  process.stdout.write(format === 'json' ? `${JSON.stringify(found, null, 2)}\n` : table([
    ['OS', 'FAMILY', 'ARCHITECTURE', 'INSTALL', 'SOURCE', 'NODES'],
    ...found.map((os) => [os.name, `${os.family} ${os.version}`, os.architecture, os.install, [os.source ?? '-', ...os.moreSources].join(' '), os.nodes.length === 0 ? '-' : foldNames(os.nodes)]),
  ]))
  return EXIT.done
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}\n`).join('')
}

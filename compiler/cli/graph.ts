import { graphDot, graphMermaid, graphOf } from '../print/graph.ts'
import { compileSite } from './compile-site.ts'
import type { SiteArguments } from './compile-site.ts'
import { EXIT, formatOf, tell } from './session.ts'

/** `crowbar graph`: the steps of the plan and their needs, folded by role. */
export async function graphCommand(options: SiteArguments & { readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['dot', 'mermaid', 'json'])
  if (format === undefined) return EXIT.usage
  const { tree, compiled, diagnostics } = await compileSite(options)
  tell(diagnostics, tree)
  if (compiled === undefined) return EXIT.fault
  const graph = graphOf(compiled.plan)
  process.stdout.write(format === 'json' ? `${JSON.stringify(graph, null, 2)}\n` : format === 'dot' ? graphDot(graph) : graphMermaid(graph))
  return EXIT.done
}

import type { DeploymentDocument } from '../../schemas/documents/deployment.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'
import type { ResolvedDeployment } from './resolved-site.ts'

type Documents = ReadonlyMap<string, Located<DeploymentDocument>>

/** Orders deployments by `after`, ties by name, and says how far each of them reaches. A cycle is one diagnostic. */
export function resolveDeployments(documents: Documents, report: Report): ReadonlyMap<string, ResolvedDeployment> {
  const after = new Map([...documents].map(([name, { value }]) => [name, [...new Set(value.after)].filter((other) => documents.has(other))]))
  const known = (name: string): readonly string[] => after.get(name) ?? []
  const done = new Map<string, ResolvedDeployment>()
  const path: string[] = []
  let cyclic = false

  const visit = (name: string): void => {
    if (done.has(name) || cyclic) return
    const start = path.indexOf(name)
    if (start >= 0) {
      cyclic = true
      reportCycle(documents, [...path.slice(start), name], report)
      return
    }
    path.push(name)
    for (const other of known(name)) visit(other)
    path.pop()
    if (!cyclic) done.set(name, new Reaching(documents.get(name) as Located<DeploymentDocument>, known))
  }
  for (const name of documents.keys()) visit(name)
  return done
}

/** Works out how far a deployment reaches when somebody asks: hardly anybody does, and long chains reach far. */
class Reaching implements ResolvedDeployment {
  readonly name: string
  readonly document: Located<DeploymentDocument>
  readonly after: readonly string[]
  readonly #known: (name: string) => readonly string[]
  #reach: ResolvedDeployment['reach'] | undefined

  constructor(document: Located<DeploymentDocument>, known: (name: string) => readonly string[]) {
    this.name = document.value.name
    this.document = document
    this.after = known(this.name)
    this.#known = known
  }

  get reach(): ResolvedDeployment['reach'] {
    this.#reach ??= reachOf(this.name, this.#known)
    return this.#reach
  }
}

function reachOf(name: string, after: (name: string) => readonly string[]): readonly (readonly string[])[] {
  const seen = new Set([name])
  const reach: string[][] = []
  let front = after(name)
  while (front.length > 0) {
    const level = [...new Set(front)].filter((other) => !seen.has(other))
    for (const other of level) seen.add(other)
    if (level.length > 0) reach.push(level)
    front = level.flatMap(after)
  }
  return reach
}

function reportCycle(documents: Documents, names: readonly string[], report: Report): void {
  const edges = names.slice(0, -1).map((from, i) => {
    const to = names[i + 1] as string
    const document = documents.get(from) as Located<DeploymentDocument>
    return { message: `${from} comes after ${to}`, range: rangeOf(document.source, ['after', document.value.after?.indexOf(to) ?? 0]) }
  })
  report(error('CYCLE', edges[0]?.range, `The deployments ${names.join(' → ')} come after each other in a circle.`, { related: edges, fix: 'Take one of these `after` away.' }))
}

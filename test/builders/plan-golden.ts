import { digest } from '../../schemas/canonical.ts'
import { prettyJson } from '../../compiler/print/pretty-json.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'

/** Nodes beyond which a golden plan is a summary with digests in place of documents. */
const WHOLE = 20

/** A plan as its golden file has it: all of it, keys sorted; of a large one a line a node and a step. */
export function planGolden(plan: Plan): { readonly file: 'plan.json' | 'plan-digests.txt'; readonly text: string } {
  if (Object.keys(plan.nodes).length <= WHOLE) return { file: 'plan.json', text: prettyJson(plan as unknown as Json) }
  const { id, complete, missing, nodes, roles, artifacts, steps, values, warnings } = plan
  const lines = [
    `plan ${id} ${complete ? 'complete' : 'not complete'}`,
    ...Object.keys(nodes).toSorted().map((name) => {
      const { index, machine, os, addresses } = nodes[name] as Plan['nodes'][string]
      return `node ${name} ${index} ${machine ?? '-'} ${os ?? '-'} ${Object.entries(addresses).map(([network, address]) => `${network}=${String(address)}`).join(' ')}`
    }),
    ...Object.keys(roles).toSorted().map((key) => `role ${key} ${short(roles[key] as unknown as Json)}`),
    ...Object.keys(artifacts).toSorted().map((name) => `artifacts ${name} ${short(artifacts[name] as unknown as Json)}`),
    ...steps.map(({ id, digest: own, attributes, once, needs }) => `step ${id} ${own.slice(7, 19)} ${attributes?.slice(7, 19) ?? '-'}${once === null ? '' : ` once ${short(once)}`} needs ${short(needs as unknown as Json)}`),
    `values ${Object.keys(values).length}`,
    ...missing.map((each) => `missing ${each.what} ${each.for}: ${each.because}`),
    ...warnings.map((each) => `warning ${each}`),
  ]
  return { file: 'plan-digests.txt', text: `${lines.join('\n')}\n` }
}

function short(value: Json): string {
  return digest(value).slice(7, 19)
}

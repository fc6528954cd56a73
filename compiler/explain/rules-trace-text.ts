import { foldNames } from '../print/fold-names.ts'
import { safe } from '../print/layout.ts'
import type { MachineTrace, NodeTrace, TracedClaim, TracedReason, TracedRule } from './rules-trace.ts'

/** Machines of a node's trace that are shown. */
const MAX_MACHINES = 40

/** What `crowbar rules trace` prints. */
export function rulesTraceText(trace: MachineTrace | NodeTrace): string {
  return `${('machines' in trace ? nodeLines(trace) : machineLines(trace)).map(safe).join('\n')}\n`
}

function machineLines({ machine, state, serial, node, rules, outcome, claims }: MachineTrace): readonly string[] {
  const who = node === null ? 'that no node has' : `that ${node} has`
  const able = claims.filter(({ could }) => could)
  const unable = claims.filter(({ could }) => !could)
  return [
    `machine ${machine}${serial === '' || serial === machine ? '' : `, serial ${serial}`}, ${state === 'available' ? '' : `${state}, `}${who}`,
    '',
    rules.length === 0 ? 'RULES  there are none' : 'RULES  in their order; the first that sets a field wins',
    ...rules.flatMap(ruleLines),
    ...(outcome.length === 0 ? [] : ['', `${node} HAS`, ...outcome.map(({ field, value, by }) => `  ${field} ${value ?? 'none'}, by ${by}`)]),
    '',
    `NODES  that could claim it: ${able.length === 0 ? 'none' : foldNames(able.flatMap(({ nodes }) => nodes))}`,
    ...able.flatMap((claim) => claimLines(claim, '+')),
    ...unable.flatMap((claim) => claimLines(claim, '-')),
  ]
}

function ruleLines({ rule, order, at, result, reasons, sets }: TracedRule): readonly string[] {
  const word = { true: 'met', false: 'not met', unknown: 'not known', error: 'fails, and so is not met' }[String(result) as 'true' | 'false' | 'unknown' | 'error']
  return [
    `  ${result === true ? '+' : '-'} ${rule}  ${word}  (order ${order}, ${at})`,
    ...reasons.map((reason) => `      ${reasonText(reason)}`),
    ...sets.map(({ field, value, lostTo }) => `      ${lostTo === null ? 'sets' : 'would set'} ${field} ${value}${lostTo === null ? '' : `, but ${lostTo} has set it`}`),
  ]
}

function claimLines({ nodes, selector, at, misses, reasons }: TracedClaim, mark: string): readonly string[] {
  return [`  ${mark} ${foldNames(nodes)}  (${selector}, ${at})`, ...misses.map((miss) => `      ${miss}`), ...reasons.map((reason) => `      ${reasonText(reason)}`)]
}

function reasonText({ text, result, values, detail }: TracedReason): string {
  if (result === 'error') return `${text}: ${detail}`
  if (result === 'unknown') return `${text} is not known before ${detail}`
  const given = values.filter((each) => each.text !== text).map((each) => `${each.text} is ${each.value}`)
  return `${text} is ${String(result)}${given.length === 0 ? '' : `: ${given.join(', ')}`}`
}

function nodeLines({ node, selector, at, machines }: NodeTrace): readonly string[] {
  const shown = machines.slice(0, MAX_MACHINES)
  return [
    `node ${node} has no machine  (${selector}, ${at})`,
    '',
    machines.length === 0 ? 'MACHINES  none has been seen' : 'MACHINES  that have been seen',
    ...shown.flatMap((each) => [
      `  ${each.could ? '+' : '-'} ${each.machine}  ${each.could ? (each.node === null ? 'it could claim' : `it could claim, but ${each.node} has it`) : each.node === null ? 'it could not claim' : `${each.node} has it`}`,
      ...each.misses.map((miss) => `      ${miss}`),
      ...each.reasons.map((reason) => `      ${reasonText(reason)}`),
    ]),
    ...(machines.length > shown.length ? [`  ... and ${machines.length - shown.length} more: --format json has them all`] : []),
  ]
}

import type { Ledger } from '../../schemas/ledger.ts'
import { LEDGER_ADMIN } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { stepParts } from '../../schemas/step-values.ts'
import { toldOf, toldToPart } from '../../schemas/told.ts'
import { inputsOf } from '../inject/deferred-value.ts'
import { deferredLeaves } from './shown-value.ts'
import type { DeferredLeaf } from './shown-value.ts'

/** A value of a step's document that other steps tell. */
export interface ToldLeaf extends DeferredLeaf {
  /** The steps that tell it, also through values that it hangs on. */
  readonly by: readonly string[]
}

/** What the documents of a plan's steps take from other steps. */
export interface Told {
  leaves(step: Step): readonly ToldLeaf[]
  /** `toldOf` the step's document, by what the base has of those steps. */
  digest(step: Step): string | null
}

/** Looks each part of a document through once: steps share them. */
export function toldIn(plan: Plan, base: Ledger): Told {
  const ofPart = new Map<string, readonly ToldLeaf[]>()
  const digests = new Map<string, string | null>()
  const partsOf = (step: Step): readonly (readonly [string, string])[] => Object.entries(stepParts(step, plan.values) ?? {})
  const leavesOf = (part: string, key: string): readonly ToldLeaf[] => {
    const known = `${part}\n${key}`
    const found = ofPart.get(known) ?? deferredLeaves(plan.values[key] ?? null, part).flatMap((leaf): readonly ToldLeaf[] => {
      const by = [...new Set([...inputsOf(leaf.value)].flatMap((input) => ('step' in input ? [input.step] : [])))]
      return by.length === 0 ? [] : [{ ...leaf, by }]
    })
    ofPart.set(known, found)
    return found
  }
  const reported = (step: string): ReturnType<Parameters<typeof toldToPart>[1]> => own(own(base.nodes, nodeOf(step))?.steps, step)
  const digestOf = (part: string, key: string): string | null => {
    const known = digests.get(key)
    if (known !== undefined) return known
    const found = leavesOf(part, key).length === 0 ? null : toldToPart(plan.values[key] ?? null, reported)
    digests.set(key, found)
    return found
  }
  return {
    leaves: (step) => partsOf(step).flatMap(([part, key]) => leavesOf(part, key)),
    digest: (step) => toldOf(Object.fromEntries(partsOf(step).map(([part, key]) => [part, digestOf(part, key)]))),
  }
}

/** Where the ledger has a step: what reports a value runs on a node, `deployment/role@node`. */
export function nodeOf(step: string): string {
  const at = step.lastIndexOf('@')
  return at < 0 ? LEDGER_ADMIN : step.slice(at + 1)
}

import type { LockedPackage } from '../../schemas/artifacts.ts'
import { byCodePoint } from '../../schemas/canonical.ts'
import { own } from '../../schemas/own.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepParts } from '../../schemas/step-values.ts'
import type { BareCause } from './causes.ts'

type Values = { readonly [digest: string]: Json }
type Packages = { readonly [name: string]: LockedPackage }

/**
 * What of the packages of a stage step came, went or has another version, by name.
 *
 * @returns null when one of the two sides does not say: its packages are not locked, or the value is gone.
 */
export function packageCauses(before: Step, after: Step, values: { readonly before: Values; readonly after: Values }): readonly BareCause[] | null {
  const [was, is] = [packagesOf(before, values.before), packagesOf(after, values.after)]
  if (was === null || is === null) return null
  return comparePackages(was, is).map(({ name, before: from, after: to }) => ({ kind: 'packages', path: name, before: from, after: to }))
}

/** A package that is otherwise than it was: its versions, null where it is not there. */
export interface PackageDifference {
  readonly name: string
  readonly before: string | null
  readonly after: string | null
}

/** What differs between two lists of packages, by name. */
export function comparePackages(was: Packages, is: Packages): readonly PackageDifference[] {
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])].toSorted(byCodePoint)
  return names.flatMap((name) => {
    const [a, b] = [own(was, name), own(is, name)]
    if (a?.version === b?.version && a?.sha256 === b?.sha256) return []
    const same = a !== undefined && b !== undefined && a.version === b.version
    return [{ name, before: a?.version ?? null, after: b === undefined ? null : same ? `${b.version} (another file)` : b.version }]
  })
}

function packagesOf(step: Step, values: Values): Packages | null {
  const key = stepParts(step, values)?.['packages']
  const found = key === undefined ? undefined : own(values, key)
  return found === undefined ? null : (found as unknown as Packages)
}

import type { Json } from '../../schemas/shape.ts'

/**
 * A step's document under names that a tool's variables may have: the first keys are names of barclamps, in which `-`
 * becomes `_`. What is below stays as it is.
 */
export function topNames(document: { readonly [key: string]: Json }): { readonly [key: string]: Json } {
  return Object.fromEntries(Object.entries(document).map(([key, value]) => [key.replaceAll('-', '_'), value]))
}

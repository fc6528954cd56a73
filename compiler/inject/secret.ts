import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import type { WantDeclaration } from '../../schemas/documents/barclamp.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import { canonical } from '../../schemas/canonical.ts'
import type { BoundSite } from '../bind/bound-site.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { unknownSecret } from '../resolve/secrets.ts'

/** Where and how a secret is used. */
export interface SecretUse {
  /** The path by which an expression reads it, such as `wants.password`. */
  readonly as: string
  readonly range: Range
  readonly optional?: boolean
}

export type Generate = NonNullable<WantDeclaration['generate']>

/** A secret that roles in use want to have generated. */
export interface GeneratedSecret {
  readonly path: string
  readonly generate: Generate
  /** Of the want that says so first. */
  readonly range: Range
}

/** The secrets that roles in use want to have generated, by path. Wants that do not agree are reported. */
export function generatedSecrets({ roles }: BoundSite, report: Report): ReadonlyMap<string, GeneratedSecret> {
  const found = new Map<string, GeneratedSecret>()
  for (const { role, external } of roles.values()) {
    if (external !== null) continue
    for (const [name, { secret: path, generate }] of Object.entries(role.declaration.wants ?? {})) {
      if (path === undefined || generate === undefined) continue
      const range = rangeOf(role.barclamp.document.source, ['roles', role.name, 'wants', name])
      const first = found.get(path)
      if (first === undefined) found.set(path, { path, generate, range })
      else if (canonical(first.generate) !== canonical(generate)) report(disagreement(path, range, first.range))
    }
  }
  return found
}

function disagreement(path: string, range: Range, first: Range): Diagnostic {
  return error('SECRET_CONFLICT', range, `The secret ${path} is to be generated in two ways.`, { fix: 'Give both wants the same `generate`.', related: [{ message: 'the other way', range: first }] })
}

/** What is wrong with the use of a secret that has no value: it is to be generated, or nobody knows it. */
export function secretWithoutValue(path: string, { bound, generated, range }: { readonly bound: BoundSite; readonly generated: ReadonlyMap<string, GeneratedSecret>; readonly range: Range }): Diagnostic {
  if (!generated.has(path)) return unknownSecret(path, bound.resolved.secrets, range)
  return error('SECRET_MISSING', range, `The secret ${path} has no value yet.`, { fix: 'Run `crowbar secret generate`, and commit what it writes below secrets/.' })
}

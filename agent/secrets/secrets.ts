import type { SecretLabel } from '../../schemas/secret-file.ts'

/** A secret as a plan names it. */
export interface WantedSecret {
  readonly secret: string
  readonly version: string
}

/** A value, or why there is none; `message` holds nothing of any value. */
export type FoundSecret = { readonly kind: 'found'; readonly value: string } | { readonly kind: 'missing'; readonly code: SecretProblem; readonly message: string }

export type SecretProblem = 'SECRETS_NO_IDENTITY' | 'SECRET_MISSING' | 'SECRET_UNDECRYPTABLE'

/** Where the values of secrets come from. Only what is about to be sent to a node asks. */
export interface Secrets {
  /**
   * The value of exactly that version.
   *
   * @param commits where its file may be, the likeliest first. What is in none of them is missing.
   */
  value(wanted: WantedSecret, options: { readonly commits: readonly string[]; readonly signal: AbortSignal }): Promise<FoundSecret>
}

/** A secret as people call it in a message. */
export function nameOfSecret({ secret, version }: WantedSecret): string {
  return `${secret} (${version})`
}

/** Whether a file is the one of that secret and version. */
export function isLabelled(label: SecretLabel | undefined, { secret, version }: WantedSecret): boolean {
  return label?.path === secret && label.version === version
}

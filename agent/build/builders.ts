import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { digest } from '../../schemas/canonical.ts'
import type { Builder } from '../../schemas/documents/rule.ts'

/** Programs that run in the system of a build. */
export const IN_ROOT = fileURLToPath(new URL('in-root', import.meta.url))

/** What every build finds: a compiler, Debian's own tools for packages, and what is named beside. */
const COMMON = ['build-essential', 'pkg-config'] as const

/** Distribution packages that a builder needs, beside those that a source names. Their scripts are in in-root/. */
const PACKAGES: Readonly<Record<Builder, readonly string[]>> = {
  debian: ['fakeroot'],
  make: [],
  autotools: ['autoconf', 'automake', 'libtool'],
  cmake: ['cmake'],
  python: ['dh-python', 'python3', 'python3-packaging', 'python3-pip', 'python3-setuptools', 'python3-wheel'],
  node: ['nodejs'],
}

/** Sorted. */
export function packagesOfBuilder(builder: Builder): string[] {
  return [...COMMON, ...PACKAGES[builder]].toSorted()
}

let recipe: string | undefined

/** Digest over how packages are built here: another recipe is another build. */
export function buildRecipe(): string {
  recipe ??= digest(readdirSync(IN_ROOT).toSorted().map(name => [name, readFileSync(join(IN_ROOT, name), 'utf8')]))
  return recipe
}

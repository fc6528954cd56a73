import type { Builder } from '../../schemas/documents/rule.ts'

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

/** Part of what decides a package: changes when how it is built changes in a way that the other inputs do not show. */
export const BUILD_RECIPE = 1

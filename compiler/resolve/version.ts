type Operator = '=' | '>' | '>=' | '<' | '<='

/** A version: three numbers and what comes before a release (semver 2.0.0 §9); build metadata means nothing. */
interface Version {
  readonly numbers: readonly [number, number, number]
  readonly before: readonly string[]
}

interface Comparator {
  readonly operator: Operator
  readonly version: Version
}

/** Another barclamp that one requires, and which versions of it will do: all comparators have to hold. */
export interface Requirement {
  readonly name: string
  readonly comparators: readonly Comparator[]
}

const NAME = /^[a-z][a-z0-9_-]{0,62}$/
const COMPARATOR = /^(\^|>=|<=|>|<|=)?\s*([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/

/**
 * Reads `ntp`, `ntp 1.2.0`, `ntp >=1.2 <2` or `ntp ^1.2`. What is left out of a version is 0; `^` allows what leaves
 * the first number that is not 0 as it is. Undefined: it is none of these.
 */
export function parseRequirement(text: string): Requirement | undefined {
  const [name, ...rest] = text.trim().replaceAll(/(\^|[<>]=?|=)\s+/g, '$1').split(/\s+/)
  if (name === undefined || !NAME.test(name)) return undefined
  const comparators: Comparator[] = []
  for (const word of rest) {
    const [, operator, major, minor, patch, before] = COMPARATOR.exec(word) ?? []
    if (major === undefined) return undefined
    const version: Version = { numbers: [Number(major), Number(minor ?? 0), Number(patch ?? 0)], before: before === undefined ? [] : before.split('.') }
    if (operator !== '^') comparators.push({ operator: (operator ?? '=') as Operator, version })
    else comparators.push({ operator: '>=', version }, { operator: '<', version: { numbers: nextBreaking(version.numbers), before: ['0'] } })
  }
  return { name, comparators }
}

/** Whether a version, of a barclamp, is one that will do. */
export function satisfies(version: string, { comparators }: Requirement): boolean {
  const [release = '', ...before] = version.replace(/\+.*$/, '').split('-')
  const [major = 0, minor = 0, patch = 0] = release.split('.').map(Number)
  const own: Version = { numbers: [major, minor, patch], before: before.length === 0 ? [] : before.join('-').split('.') }
  return comparators.every((comparator) => holds(compareVersions(own, comparator.version), comparator.operator))
}

function holds(compared: number, operator: Operator): boolean {
  switch (operator) {
    case '=':
      return compared === 0
    case '>':
      return compared > 0
    case '>=':
      return compared >= 0
    case '<':
      return compared < 0
    case '<=':
      return compared <= 0
  }
}

function nextBreaking([major, minor, patch]: Version['numbers']): Version['numbers'] {
  if (major > 0) return [major + 1, 0, 0]
  return minor > 0 ? [0, minor + 1, 0] : [0, 0, patch + 1]
}

/** By semver 2.0.0 §11: negative, 0 or positive. */
function compareVersions(a: Version, b: Version): number {
  for (const [i, number] of a.numbers.entries()) if (number !== b.numbers[i]) return number - (b.numbers[i] as number)
  if (a.before.length === 0 || b.before.length === 0) return b.before.length - a.before.length
  for (const [i, word] of a.before.entries()) {
    const other = b.before[i]
    if (other === undefined) return 1
    if (word === other) continue
    const [numeric, otherNumeric] = [/^[0-9]+$/.test(word), /^[0-9]+$/.test(other)]
    if (numeric && otherNumeric && Number(word) !== Number(other)) return Number(word) - Number(other)
    if (numeric !== otherNumeric) return numeric ? -1 : 1
    if (!numeric) return word < other ? -1 : 1
  }
  return a.before.length - b.before.length
}

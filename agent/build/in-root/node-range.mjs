// What Debian can say of the ranges of package.json. https://github.com/npm/node-semver#ranges

/**
 * Relations of a Debian package that hold for every version of a range: at least, below. Of alternatives the widest.
 *
 * @param {string} name the Debian package.
 * @param {string | undefined} range as package.json has it; an address, a tag or nothing says nothing of versions.
 */
export function debianRelations(name, range, { plain = false }) {
  const bounds = boundsOf(range)
  const relations = []
  // An epoch, which only Debian knows, is above every bound: such a package is not held to it.
  if (bounds.below !== null) relations.push(`${name} (<< ${textOf(bounds.below)}~)${plain ? '' : ` | ${name} (>= 1:0)`}`)
  if (bounds.least !== null) relations.push(`${name} (>= ${textOf(bounds.least)})`)
  return relations.length === 0 ? [name] : relations
}

const ANY = { least: null, below: null }

function boundsOf(range) {
  if (typeof range !== 'string') return ANY
  const all = range.split('||').map((one) => alternative(one.trim()))
  if (all.includes(undefined)) return ANY
  const leasts = all.map(({ least }) => least)
  const belows = all.map(({ below }) => below)
  return {
    least: leasts.includes(null) ? null : leasts.reduce((a, b) => (compare(a, b) <= 0 ? a : b)),
    below: belows.includes(null) ? null : belows.reduce((a, b) => (compare(a, b) >= 0 ? a : b)),
  }
}

/** All of what stands side by side; undefined: these are no versions. */
function alternative(text) {
  const hyphen = /^(\S+)\s+-\s+(\S+)$/.exec(text)
  const parts = hyphen === null ? text.replace(/([<>=~^])\s+/g, '$1').split(/\s+/).filter((part) => part !== '') : [`>=${hyphen[1]}`, `<=${hyphen[2]}`]
  let [least, below] = [null, null]
  for (const part of parts) {
    const found = /^(\^|~>?|>=|<=|>|<|=)?v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+\S+)?$/.exec(part)
    if (found === null) return undefined
    const numbers = found.slice(2, 5).filter((one) => one !== undefined)
    const wild = numbers.findIndex((one) => !/^\d/.test(one))
    const version = (wild === -1 ? numbers : numbers.slice(0, wild)).map(Number)
    const [from, to] = span(found[1] || '', version, found[5])
    if (from !== null && (least === null || compare(from, least) > 0)) least = from
    if (to !== null && (below === null || compare(to, below) < 0)) below = to
  }
  return { least, below }
}

/** From where, and up to where not. */
function span(operator, version, before) {
  if (version.length === 0) return [null, null]
  const from = { version, before }
  const next = (at) => ({ version: [...version.slice(0, at), version[at] + 1], before: undefined })
  switch (operator) {
    case '^': {
      const first = version.findIndex((one) => one !== 0)
      return [from, next(first === -1 ? version.length - 1 : first)]
    }
    case '~':
    case '~>':
      return [from, next(Math.min(1, version.length - 1))]
    case '>=':
      return [from, null]
    case '>':
      return [version.length === 3 ? from : next(version.length - 1), null]
    case '<':
      return [null, from]
    case '<=':
      return [null, next(version.length - 1)]
    default:
      return [from, next(version.length - 1)]
  }
}

function compare(a, b) {
  for (let i = 0; i < 3; i++) {
    const difference = (a.version[i] || 0) - (b.version[i] || 0)
    if (difference !== 0) return difference
  }
  return (a.before === undefined ? 1 : 0) - (b.before === undefined ? 1 : 0)
}

function textOf({ version, before }) {
  return version.join('.') + (before === undefined ? '' : `~${before.replace(/-/g, '~')}`)
}

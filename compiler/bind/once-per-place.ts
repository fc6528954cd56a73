import type { Report } from '../../schemas/diagnostic.ts'

/**
 * Passes on the first diagnostic of each code at each place, with the same other places: one mistake that a thousand nodes
 * share is told once, and two mistakes at one place are two.
 */
export function oncePerPlace(report: Report): Report {
  const told = new Set<string>()
  return (diagnostic) => {
    const places = [diagnostic.range, ...diagnostic.related.map(({ range }) => range)]
    const key = [diagnostic.code, ...places.map((range) => `${range?.path} ${range?.start.line} ${range?.start.column}`)].join(' ')
    if (told.has(key)) return
    told.add(key)
    report(diagnostic)
  }
}

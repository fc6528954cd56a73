import type { Report } from '../../schemas/diagnostic.ts'

/** Passes on the first diagnostic of each code at each place: one mistake that a thousand nodes share is told once. */
export function oncePerPlace(report: Report): Report {
  const told = new Set<string>()
  return (diagnostic) => {
    const { code, range } = diagnostic
    const key = `${code} ${range?.path} ${range?.start.line} ${range?.start.column}`
    if (told.has(key)) return
    told.add(key)
    report(diagnostic)
  }
}

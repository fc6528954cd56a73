import type { Jig } from './jig.ts'
import { noopJig } from './noop.ts'
import { scriptJig } from './script.ts'
import { testJig } from './test.ts'

const JIGS: readonly Jig[] = [scriptJig, noopJig, testJig]

/** The jig of that name; undefined when this version has none. */
export function chooseJig(name: string): Jig | undefined {
  return JIGS.find((jig) => jig.name === name)
}

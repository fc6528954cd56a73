import type { BoundMachine } from '../bind/bound-site.ts'
import type { Tree } from '../tree/tree.ts'
import type { Splice } from './splice.ts'
import { scalarText } from './yaml-text.ts'

/** Where words about machines that are gone are written. */
const RETIRED_PATH = 'retired.yaml'

/** Writes down that a machine is never to be claimed again. */
export function retireMachine({ id, facts }: BoundMachine, tree: Tree): Splice {
  const before = new TextDecoder().decode(tree.files.get(RETIRED_PATH)?.bytes())
  const { serial, uuid } = facts.dmi
  const name = serial !== '' ? `serial: ${scalarText(serial)}` : uuid !== '' ? `uuid: ${scalarText(uuid)}` : `mac: ${JSON.stringify(facts.nics[0]?.mac ?? id)}`
  const mark = before === '' ? '' : `${before.endsWith('\n') ? '' : '\n'}---\n`
  return { path: RETIRED_PATH, start: before.length, end: before.length, text: `${mark}kind: machine\n${name}\nstate: retired\n` }
}

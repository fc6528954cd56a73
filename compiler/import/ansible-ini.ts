import type { Json } from '../../schemas/shape.ts'
import type { SourceDocument, SourceText } from '../parse/document.ts'
import { pythonLiteral } from './python-literal.ts'
import { shellWords } from './shell-words.ts'
import { documentOf, mapNode, valueNode } from './text-node.ts'
import type { TextNode } from './text-node.ts'

const SECTION = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$/u
const CHILD = /^([^:\]\s]+)\s*(?:#.*)?$/u

/** A line that says something, and what is wrong with it. */
export interface IniProblem {
  readonly pointer: readonly string[]
  readonly problem: string
}

/**
 * An inventory in INI form as a document: line number → `{ section }`, `{ host, vars }`, `{ child }` or `{ var }`, each in
 * the form that its section gives it, with values as Ansible reads them.
 */
export function readIni(source: SourceText): { readonly document: SourceDocument; readonly problems: readonly IniProblem[]; readonly notes: readonly IniProblem[] } {
  const root = mapNode({ start: 0, end: source.text.length, keyStart: -1, keyEnd: -1 })
  const problems: IniProblem[] = []
  const notes: IniProblem[] = []
  let kind = 'hosts'
  let offset = 0
  let number = 0
  for (const whole of source.text.split(/(?<=\r\n|\n|\r(?!\n)|[\v\f\u0085\u2028\u2029])/u)) {
    number++
    const from = offset + (whole.length - whole.trimStart().length)
    offset += whole.length
    const line = whole.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const key = String(number)
    const span = { start: from, end: from + line.length, keyStart: -1, keyEnd: -1 }
    const entry = mapNode(span)
    root.content.entries.set(key, entry)
    const say = (name: string, value: Json, start = 0, end = line.length): void => void entry.content.entries.set(name, valueNode(value, { ...span, start: from + start, end: from + end }))
    const wrong = (way: string | readonly string[], problem: string): void => void problems.push({ pointer: [key, ...[way].flat()], problem })
    const note = (way: readonly string[], what: string): void => void notes.push({ pointer: [key, ...way], problem: what })
    const section = SECTION.exec(line)
    if (section !== null) {
      kind = section[2] ?? 'hosts'
      say('section', section[1] ?? '')
      if (section[2] !== undefined) say('of', kind)
      if (!['hosts', 'children', 'vars'].includes(kind)) wrong('of', 'a section is of `hosts`, `children` or `vars`')
    } else if (line.startsWith('[') && line.endsWith(']')) {
      say('text', line)
      wrong('text', 'this is not the name of a section')
    } else if (kind === 'children') {
      const child = CHILD.exec(line)?.[1]
      say(child === undefined ? 'text' : 'child', child ?? line)
      if (child === undefined) wrong('text', 'this is not the name of a group')
    } else if (kind === 'vars') {
      const equals = line.indexOf('=')
      if (equals < 0) {
        say('text', line)
        wrong('text', 'a variable is `name=value`')
      } else variable(entry, 'var', { name: line.slice(0, equals).trim(), text: line.slice(equals + 1).trim(), start: from, end: span.end }, { wrong, note })
    } else if (kind === 'hosts') hostLine(entry, { line, from }, { say, wrong, note })
    else {
      say('text', line)
      wrong('text', 'the section is of no kind that there is')
    }
  }
  return { document: documentOf(root, source), problems, notes }
}

interface Says {
  readonly say: (name: string, value: Json, start?: number, end?: number) => void
  readonly wrong: (way: string | readonly string[], problem: string) => void
  readonly note: (way: readonly string[], what: string) => void
}

function hostLine(entry: ReturnType<typeof mapNode>, { line, from }: { readonly line: string; readonly from: number }, { say, wrong, note }: Says): void {
  const words = shellWords(line)
  const [host, ...rest] = typeof words === 'string' ? [] : words
  if (typeof words === 'string' || host === undefined || rest.some(({ text }) => !text.includes('='))) {
    say('text', line)
    wrong('text', typeof words === 'string' ? words : 'what follows a host is `name=value`')
    return
  }
  say('host', host.text, host.start, host.end)
  if (host.text === '---' || host.text.endsWith(':')) wrong('host', 'this is no host: is the file YAML?')
  for (const { text, start, end } of rest) {
    const equals = text.indexOf('=')
    variable(entry, 'vars', { name: text.slice(0, equals), text: text.slice(equals + 1), start: from + start, end: from + end }, { wrong, note })
  }
}

function variable(entry: ReturnType<typeof mapNode>, where: string, { name, text, start, end }: { readonly name: string; readonly text: string; readonly start: number; readonly end: number }, { wrong, note }: Pick<Says, 'wrong' | 'note'>): void {
  const span = { start, end, keyStart: start, keyEnd: Math.min(end, start + name.length) }
  let vars = entry.content.entries.get(where)
  if (vars === undefined) {
    vars = mapNode(span)
    entry.content.entries.set(where, vars)
  }
  if (vars.content.kind !== 'map') return
  const literal = pythonLiteral(text)
  const node: TextNode = valueNode('value' in literal ? literal.value : text, span)
  const before = vars.content.entries.get(name)
  if (before !== undefined) {
    const old = `${name} (before column ${start})`
    vars.content.entries.set(old, before)
    wrong([where, old], `${name} is given twice in one line; the last counts`)
  }
  vars.content.entries.set(name, node)
  if (name === '__proto__') wrong([where, name], 'the name `__proto__` is not allowed')
  if ('problem' in literal) wrong([where, name], literal.problem)
  if ('note' in literal) note([where, name], literal.note)
}

import { parse } from 'yaml'
import type { ExplainedValue } from '../../../compiler/explain/explain.ts'
import type { LayerVoice } from '../../../compiler/explain/provenance.ts'
import { canonical } from '../../../schemas/canonical.ts'
import type { Range } from '../../../schemas/diagnostic.ts'
import { isDeferred } from '../../../schemas/deferred.ts'
import { AttributeLanguage, isTemplate } from '../../../schemas/expression.ts'
import { own } from '../../../schemas/own.ts'
import type { Json } from '../../../schemas/shape.ts'

/** Layers from the strongest to the weakest; `want` is what asked, and comes after all of them. */
const RANKS = ['node', 'nodes', 'role', 'deployment', 'rule', 'site', 'os', 'default', 'provide', 'want']

/**
 * What is wrong with what explain says of a value, when the plan and the text of the sources are asked; undefined when
 * all of it is right. Knows nothing of how the compiler found it.
 */
export function disagreement(explained: ExplainedValue, planned: Json | undefined, source: (path: string) => string): string | undefined {
  const { value, layers, pointer, inputs } = explained
  if (planned === undefined || canonical(planned) !== canonical(value)) return `the plan has ${JSON.stringify(planned)} and not ${JSON.stringify(value)}`
  const [winner, ...others] = layers.filter(({ wins }) => wins)
  if (winner === undefined || others.length > 0) return `${layers.filter(({ wins }) => wins).length} layers win`
  if (layers.slice(0, layers.indexOf(winner)).some(({ value: said }) => !isOperator(said))) return 'the winner is not the strongest'
  const ranks = layers.map(({ layer }) => RANKS.indexOf(layer))
  if (ranks.includes(-1) || ranks.some((rank, i) => i > 0 && rank < (ranks[i - 1] as number))) return `layers out of order: ${layers.map(({ layer }) => layer).join(' ')}`
  const misplaced = layers.find((voice) => !stands(voice, source))
  if (misplaced !== undefined) return `at ${misplaced.range.path}:${misplaced.range.start.line}:${misplaced.range.start.column} there is no ${JSON.stringify(misplaced.value)}`
  if (isDeferred(value) && winner.layer === 'want' && own(winner.value as Readonly<Record<string, Json>>, 'secret') === undefined) return 'a want does not say what it brings'
  if (isDeferred(value)) return inputs.some(({ deferred }) => deferred) ? undefined : 'it is deferred and reads nothing that is'
  const made = madeFrom(winner, explained)
  return made.some((each) => holds(each, pointer, value)) ? undefined : `${JSON.stringify(winner.value)} does not give ${JSON.stringify(value)}`
}

/** `$append` and `$remove` change the list below them and leave the rest of it to whoever said it. */
function isOperator(value: Json): boolean {
  return value !== null && typeof value === 'object' && ('$append' in value || '$remove' in value)
}

/** Whether the text at a voice's place, read by another YAML reader, is what the voice says. */
function stands({ value, range, layer, wins }: LayerVoice, source: (path: string) => string): boolean {
  const text = textAt(range, source(range.path))
  if (range.path.endsWith('.csv')) return text.replace(/^"(.*)"$/, '$1') === String(value as string)
  // Defaults below an object are put together out of many places.
  if (layer === 'default' && !wins && value !== null && typeof value === 'object' && !Array.isArray(value)) return true
  if (typeof value === 'string' && squeeze(text) === squeeze(value)) return true
  try {
    return canonical(parse(text) as Json) === canonical(value)
  } catch {
    return false
  }
}

function textAt({ start, end }: Range, text: string): string {
  const lines = text.split('\n')
  const inside = lines.slice(start.line - 1, end.line)
  inside[inside.length - 1] = (inside.at(-1) ?? '').slice(0, end.column - 1)
  // What is further in keeps its indentation below the first line.
  return `${' '.repeat(start.line === end.line ? 0 : start.column - 1)}${(inside[0] ?? '').slice(start.column - 1)}${inside.slice(1).map((line) => `\n${line}`).join('')}`
}

function squeeze(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** What the words of a layer come to. */
function madeFrom({ layer, value }: LayerVoice, { inputs }: ExplainedValue): readonly Json[] {
  if (layer === 'provide') return inputs.map((input) => input.value)
  if (layer === 'want') return [null, []]
  if (typeof value !== 'string' || !isTemplate(value)) return [value]
  const language = new AttributeLanguage()
  const { program } = language.compile(value)
  if (program === undefined) return []
  const bindings: Record<string, Json> = { attributes: {}, wants: {} }
  for (const { path, value: read } of inputs) put(bindings, path.split('.'), read)
  const result = language.evaluate(program, bindings as Parameters<typeof language.evaluate>[1])
  return result.kind === 'value' ? [result.value] : []
}

function put(into: Record<string, Json>, [key, ...rest]: readonly string[], value: Json): void {
  if (key === undefined) return
  if (rest.length === 0) into[key] = value
  else put((into[key] ??= {}) as Record<string, Json>, rest, value)
}

/** A leaf of a value that one expression gives whole stands at the end of the pointer, inside that value. */
function holds(made: Json, pointer: readonly (string | number)[], value: Json): boolean {
  return pointer.some((_, i) => same(at(made, pointer.slice(i)), value)) || same(made, value)
}

function at(value: Json | undefined, pointer: readonly (string | number)[]): Json | undefined {
  return pointer.reduce<Json | undefined>((inside, key) => (inside !== null && typeof inside === 'object' && Object.hasOwn(inside, key) ? (inside as Readonly<Record<string | number, Json>>)[key] : undefined), value)
}

function same(a: Json | undefined, b: Json): boolean {
  return a !== undefined && canonical(a) === canonical(b)
}

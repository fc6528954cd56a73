import { isAlias, isMap, isPair, isScalar, isSeq, Lexer, parseAllDocuments, Scalar, visit } from 'yaml'
import type { Document, Pair, YAMLMap, YAMLSeq } from 'yaml'
import { canonical } from '../../schemas/canonical.ts'
import { DOCUMENT_SHAPES } from '../../schemas/documents/kinds.ts'
import type { DocumentKind } from '../../schemas/documents/kinds.ts'
import type { Json, JsonSchema } from '../../schemas/shape.ts'
import { hasErrors } from '../diagnostics/diagnostic.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { sourceText } from '../parse/document.ts'
import { parseYaml } from '../parse/yaml.ts'

/** The text in its one form, or why it is left as it is. */
export type Formatted = { readonly text: string } | { readonly problem: string }

/** Folded text is broken here; everything else stays on the line that its author gave it. */
const FOLD_WIDTH = 100

/**
 * Puts the documents of a YAML file into their one form: fields in the order in which the formats list them, two spaces
 * a level, a collection in brackets that spans lines as a block. Maps whose keys an author chooses keep their order,
 * which may mean something; comments stay with what they stand above or beside. Formatting twice changes nothing more.
 *
 * A file is left as it is when it would not read the same afterwards, or a comment would be lost.
 */
export function formatYaml(path: string, text: string): Formatted {
  const before = read(path, text)
  if (typeof before === 'string') return { problem: before }
  let done = text.replace(/^\uFEFF/, '')
  for (let pass = 0; pass < 8; pass++) {
    const next = formatOnce(done)
    if (typeof next !== 'string') return next
    if (next === done) break
    if (pass === 7) return { problem: 'it comes out differently each time' }
    done = next
  }
  const after = read(path, done)
  if (typeof after === 'string' || canonical(after) !== canonical(before)) return { problem: 'it would not mean the same afterwards' }
  if (comments(text).join('\n') !== comments(done).join('\n')) return { problem: 'a comment would be lost' }
  return { text: done }
}

/** Every document's value; a sentence when the compiler could not read the file. */
function read(path: string, text: string): Json | string {
  const found: Diagnostic[] = []
  const documents = parseYaml(sourceText(path, text.replace(/^\uFEFF/, '')), (diagnostic) => void found.push(diagnostic))
  if (documents !== undefined && !hasErrors(found)) return documents.map(({ value }) => value)
  const [first] = found
  return first === undefined ? 'it cannot be read' : `line ${first.range?.start.line ?? 1}: ${first.summary}`
}

/** What comments say, sorted: a field that moves takes its comment along. */
function comments(text: string): readonly string[] {
  return [...new Lexer().lex(text)].filter((token) => token.startsWith('#')).map((token) => token.trim()).toSorted()
}

function formatOnce(text: string): string | { readonly problem: string } {
  const documents = parseAllDocuments(text, { strict: false, uniqueKeys: false, keepSourceTokens: true })
  if (!Array.isArray(documents)) return text
  const [bad] = documents.flatMap(({ errors }) => errors)
  if (bad !== undefined) return { problem: bad.message.split('\n')[0] ?? bad.code }
  try {
    return documents.map((document, i) => documentText(document, text, i)).join('')
  } catch (cause) {
    // An alias that would come to stand before its anchor.
    return { problem: (cause as Error).message }
  }
}

function documentText(document: Document.Parsed, text: string, index: number): string {
  const { contents } = document
  const kind = isMap(contents) ? contents.get('kind') : undefined
  if (typeof kind === 'string' && Object.hasOwn(DOCUMENT_SHAPES, kind)) arrange(contents, DOCUMENT_SHAPES[kind as DocumentKind].json)
  let folds = false
  visit(document, {
    Collection(_, node) {
      padBrackets(node)
      if (node.flow === true && spansLines(node.range, text) && !node.items.some((item) => isPair(item) && item.value === null)) node.flow = false
    },
  })
  visit(document, {
    Scalar(_, node, path) {
      if (typeof node.value !== 'string') return
      const inFlow = path.some((parent) => (isMap(parent) || isSeq(parent)) && parent.flow === true)
      const isKey = path.some((parent, i) => isPair(parent) && parent.key === (path[i + 1] ?? node))
      if (!inFlow && !isKey && spansLines(node.range, text) && (node.type === Scalar.PLAIN || node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE) && !node.value.includes('\n')) node.type = Scalar.BLOCK_FOLDED
      if (node.type === Scalar.BLOCK_FOLDED) folds = true
    },
  })
  // A mark of its own is only for a document that follows another.
  const written = document.toString({ directives: false, lineWidth: folds ? FOLD_WIDTH : 0, minContentWidth: 0, indent: 2 })
  const body = written.replace(/^---\n/, '')
  // A document of one line stands beside its mark.
  return index === 0 ? body : `---${body.startsWith('{') ? ' ' : '\n'}${body}`
}

/** `[a, b]` and `{ a: b }`, also one in the other. */
function padBrackets(node: YAMLMap | YAMLSeq): void {
  const write = node.toString.bind(node)
  const padding = isMap(node) ? ' ' : ''
  node.toString = (context?: Parameters<YAMLMap['toString']>[0], onComment?: () => void, onChompKeep?: () => void) => write(context === undefined ? context : { ...context, flowCollectionPadding: padding }, onComment, onChompKeep)
}

function spansLines(range: readonly [number, number, number] | null | undefined, text: string): boolean {
  return range !== null && range !== undefined && /[\n\r]/.test(text.slice(range[0], range[1]))
}

/** Puts the fields that a schema lists into its order, inside and out. */
function arrange(node: unknown, schema: JsonSchema): void {
  if (isAlias(node)) return
  if (isSeq(node)) {
    const items = schema['items'] as JsonSchema | undefined
    if (items !== undefined) for (const item of node.items) arrange(item, items)
    return
  }
  if (!isMap(node)) return
  const fitting = schemaOf(node, schema)
  if (fitting === undefined) return
  const properties = fitting['properties'] as Readonly<Record<string, JsonSchema>> | undefined
  if (properties !== undefined) sortPairs(node, Object.keys(properties))
  const others = fitting['additionalProperties']
  for (const { key, value } of node.items) {
    const inner = properties?.[nameOf(key)] ?? (typeof others === 'object' ? (others as JsonSchema) : undefined)
    if (inner !== undefined) arrange(value, inner)
  }
}

/** Of several alternatives the only one that knows every key. */
function schemaOf(node: YAMLMap, schema: JsonSchema): JsonSchema | undefined {
  const alternatives = schema['anyOf'] as readonly JsonSchema[] | undefined
  if (alternatives === undefined) return schema
  const fitting = alternatives.filter((each) => each['properties'] !== undefined && node.items.every(({ key }) => Object.hasOwn(each['properties'] as object, nameOf(key))))
  return fitting.length === 1 ? fitting[0] : undefined
}

function sortPairs(node: YAMLMap, order: readonly string[]): void {
  const place = ({ key }: Pair): number => {
    const found = order.indexOf(nameOf(key))
    return found < 0 ? order.length : found
  }
  const sorted = node.items.toSorted((a, b) => place(a) - place(b))
  if (sorted.every((pair, i) => pair === node.items[i])) return
  node.items = sorted
  const [first] = sorted
  if (isScalar(first?.key)) first.key.spaceBefore = false
}

function nameOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : ''
}

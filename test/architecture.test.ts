import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Who may import whom: a file below the folder on the left imports ours only from the folders on the right. */
const MAY_IMPORT: readonly (readonly [string, readonly string[]])[] = [
  ['schemas/', ['schemas/']],
  ['compiler/', ['compiler/', 'schemas/', 'package.json']],
  // What is shipped to nodes.
  ['agent/jigs/', ['agent/jigs/', 'schemas/']],
  ['agent/node/', ['agent/node/', 'agent/jigs/', 'schemas/']],
  ['agent/', ['agent/', 'schemas/', 'package.json']],
  ['bin/', ['bin/', 'compiler/cli/', 'agent/cli/', 'schemas/', 'package.json']],
]

/** Tables are long by nature: what they hold is one row after another. */
const TABLES: readonly string[] = []
const MAX_LINES = 400
const BAD_FOLDERS = /(^|\/)(utils?|helpers?|common|misc|managers?|services?)\//
const IMPURE = /\bprocess\.|\bDate\.now\b|\bMath\.random\b|\bnew Date\(\)|\bperformance\.now\b|\blocaleCompare\b|\bIntl\./

interface Source {
  readonly path: string
  readonly text: string
  readonly imports: readonly string[]
}

const sources = ['schemas', 'compiler', 'agent', 'bin'].flatMap(folder => list(join(ROOT, folder))).map(read)

test('every import follows the table', () => {
  const wrong = sources.flatMap(({ path, imports }) => {
    const allowed = MAY_IMPORT.find(([folder]) => path.startsWith(folder))?.[1] ?? []
    return imports.filter(target => !allowed.some(folder => target.startsWith(folder))).map(target => `${path} imports ${target}`)
  })
  expect(wrong).toEqual([])
})

test('no import goes round in a circle', () => {
  const bySource = new Map(sources.map(source => [source.path, source.imports]))
  const done = new Set<string>()
  const circles: string[] = []
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const target of bySource.get(path) ?? []) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of bySource.keys()) walk(path, [])
  expect(circles).toEqual([])
})

test('no file is longer than 400 lines', () => {
  const long = sources.filter(({ path, text }) => text.split('\n').length > MAX_LINES + 1 && !TABLES.includes(path)).map(({ path }) => path)
  expect(long).toEqual([])
})

test('no folder is a drawer for anything', () => {
  expect(sources.map(({ path }) => path).filter(path => BAD_FOLDERS.test(path))).toEqual([])
})

test('the compiler and the schemas know no clock, chance, environment or locale', () => {
  const impure = sources
    .filter(({ path }) => (path.startsWith('compiler/') && !path.startsWith('compiler/cli/')) || path.startsWith('schemas/'))
    .flatMap(({ path, text }) => text.split('\n').flatMap((line, index) => (IMPURE.test(withoutComments(line)) ? [`${path}:${index + 1}: ${line.trim()}`] : [])))
  expect(impure).toEqual([])
})

test('node builtins of the compiler are pure ones, except where it reads the tree', () => {
  const allowed = new Set(['node:crypto', 'node:module', 'node:path', 'node:path/posix', 'node:util', 'node:buffer', 'node:zlib'])
  const wrong = sources
    .filter(({ path }) => (path.startsWith('compiler/') && !path.startsWith('compiler/cli/') && !path.startsWith('compiler/tree/')) || path.startsWith('schemas/'))
    .flatMap(({ path, text }) => [...text.matchAll(/from '(node:[^']+)'/g)].filter(match => !allowed.has(match[1] ?? '')).map(match => `${path} imports ${match[1]}`))
  expect(wrong).toEqual([])
})

test('the full JSON Schema validator is loaded when it is needed, not when a command starts', () => {
  const early = sources.filter(({ path, text }) => /^(?:compiler|schemas)\//.test(path) && /^import (?!type\b).* from 'ajv/m.test(text)).map(({ path }) => path)
  expect(early).toEqual([])
})

function list(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))
}

function read(file: string): Source {
  const text = readFileSync(file, 'utf8')
  const imports = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(match => relative(ROOT, resolve(dirname(file), match[1] ?? '')))
  return { path: relative(ROOT, file), text, imports }
}

function withoutComments(line: string): string {
  return line.replace(/^\s*(\/\/|\*|\/\*).*$/, '').replace(/\s\/\/.*$/, '')
}

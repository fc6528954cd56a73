import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { execJig } from '../../agent/jigs/exec.ts'
import type { Jig, JigEnd, JigExport, JigInput } from '../../agent/jigs/jig.ts'

/** The programs of docs/jigs.md do what the page says. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PAGE = readFileSync(join(ROOT, 'docs/jigs.md'), 'utf8')
const block = (language: string): string => new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(PAGE)?.[1] ?? ''

let folder = ''
let input: JigInput
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-jig-docs-'))
  input = { document: {}, entry: 'entry', entryText: '', content: join(folder, 'content'), work: join(folder, 'work'), results: join(folder, 'results'), secretive: false }
  for (const path of [input.content, input.work, join(input.results, 'provides'), join(input.results, 'facts')]) mkdirSync(path, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function carriedOut({ files, command, environment }: JigExport): JigEnd {
  for (const { path, text, mode } of files) {
    mkdirSync(dirname(join(input.work, path)), { recursive: true })
    writeFileSync(join(input.work, path), text, { mode })
  }
  const [program = '', ...args] = command ?? []
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: input.content, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...environment } })
  const left = readdirSync(input.results, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  return { exitCode: status ?? -1, files: new Map(left.map((path) => [path.slice(input.results.length + 1), readFileSync(path)])), said: `${stdout}\n${stderr}` }
}

test('the Python program speaks the protocol', () => {
  writeFileSync(join(input.content, 'entry'), block('python'), { mode: 0o755 })
  const path = join(folder, 'note')
  const asked = (action: string): unknown => execJig.import(carriedOut(execJig.export({ ...input, document: { note: { path, text: 'grüße\n' }, crowbar: { action } } })), input)
  expect(asked('preview')).toEqual({ kind: 'succeeded', provides: {}, facts: {} })
  expect(() => readFileSync(path)).toThrow('ENOENT')
  expect(asked('run')).toEqual({ kind: 'succeeded', provides: { bytes: 8 }, facts: {} })
  expect(readFileSync(path, 'utf8')).toBe('grüße\n')
  expect(asked('run')).toEqual({ kind: 'unchanged', provides: {}, facts: {} })
})

test('the jig for make type-checks, runs a makefile, says what it would do, and how it failed', async () => {
  const source = block('ts').replace("name: 'make'", "name: 'exec'").replaceAll("'./", `'${ROOT}agent/jigs/`).replaceAll("'../../", `'${ROOT}`)
  const file = join(folder, 'make.ts')
  writeFileSync(file, source)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions: { noEmit: true, typeRoots: [join(ROOT, 'node_modules/@types')] }, files: [file], include: [] }))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  expect(spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })).toMatchObject({ stdout: '', status: 0 })
  const { makeJig } = await import(pathToFileURL(file).href) as { makeJig: Jig }
  const target = join(folder, 'made')
  writeFileSync(join(input.content, 'entry'), `${target}:\n\tcp $(CROWBAR_DOCUMENT) $@\n\tprintf %s 007 > $(CROWBAR_PROVIDES)/key\n`)
  const given = { ...input, document: { make: { port: 80 } } }
  const foreseen = (): unknown => makeJig.dryRun?.import(carriedOut(makeJig.dryRun.export(given)), given)
  expect(foreseen()).toMatchObject({ kind: 'foreseen', foreseen: [{ effect: 'change', detail: expect.stringContaining(`cp `) as unknown }, { effect: 'change' }] })
  expect(makeJig.import(carriedOut(makeJig.export(given)), given)).toEqual({ kind: 'succeeded', provides: { key: '007' }, facts: {} })
  expect(readFileSync(target, 'utf8')).toBe('{"make":{"port":80}}\n')
  expect(foreseen()).toEqual({ kind: 'foreseen', foreseen: [] })
  writeFileSync(join(input.content, 'entry'), 'all:\n\tfalse\n')
  expect(makeJig.import(carriedOut(makeJig.export(given)), given)).toMatchObject({ kind: 'failed', message: expect.stringContaining('entry:2') as unknown })
}, 120_000)

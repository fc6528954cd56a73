import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { chooseJig } from '../../../agent/jigs/choose-jig.ts'
import type { JigOutcome } from '../../../agent/jigs/jig.ts'
import { scriptJig } from '../../../agent/jigs/script.ts'
import { shellAttributes, shellQuote, variableName } from '../../../agent/jigs/shell-attributes.ts'
import { encodeKey } from '../../../agent/jigs/value-files.ts'
import { canonical } from '../../../schemas/canonical.ts'
import type { Json } from '../../../schemas/shape.ts'
import fc from '../../property.ts'

let work = ''
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'crowbar-jig-'))
})
afterEach(() => rmSync(work, { recursive: true, force: true }))

/** Runs a script exactly as the node agent does, and gives what it means and what it printed. */
function runScript(text: string, document: { readonly [key: string]: Json } = {}, entry = 'run.sh'): { readonly outcome: JigOutcome; readonly stdout: string } {
  const results = join(work, 'results')
  const content = join(work, 'content')
  for (const folder of [join(results, 'provides'), join(results, 'facts'), content]) mkdirSync(folder, { recursive: true })
  writeFileSync(join(content, entry), text, { mode: 0o700 })
  const input = { document, entry, entryText: text, content, work, results, secretive: false }
  const { files, command, environment, path } = scriptJig.export(input)
  for (const file of files) {
    mkdirSync(dirname(join(work, file.path)), { recursive: true })
    writeFileSync(join(work, file.path), file.text, { mode: file.mode })
  }
  const [program = '', ...args] = command ?? []
  const { status, stdout } = spawnSync(program, args, { cwd: content, encoding: 'utf8', env: { ...environment, PATH: [...path, '/usr/bin', '/bin'].join(':') } })
  const left = new Map(readdirSync(results, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
    .map((one) => [join(one.parentPath, one.name).slice(results.length + 1), readFileSync(join(one.parentPath, one.name))]))
  return { outcome: scriptJig.import({ exitCode: status ?? -1, files: left, said: stdout }, input), stdout }
}

const DOCUMENT = {
  web: { 'http-port': 8080, motd: "it's\n\"quoted\" $HOME `id` \\ \n", enabled: true, aliases: ['a b', "c'd"], nothing: null, empty: '', 'site.conf': 'dotted' },
  wants: { peers: [{ name: 'n1', address: '192.0.2.1' }] }, crowbar: { step: 'd/r@n1' },
} as const

test('a script reads every kind of value with crowbar-get', () => {
  const { stdout } = runScript([
    'for path in web.http-port web.enabled web.aliases.1 wants.peers.0.address web.site%2Econf; do crowbar-get "$path"; echo; done',
    'crowbar-get web.aliases; crowbar-get --json wants.peers; crowbar-get --json web.motd; crowbar-get --json web.nothing; crowbar-get wants',
    'crowbar-get --default none web.nothing; crowbar-get --default none web.no.such; crowbar-get --default none web.empty',
    'crowbar-get --has web.nothing || echo null; crowbar-get --has web.empty && echo there; crowbar-get web.no 2>/dev/null || echo "exit $?"',
  ].join('\n'), DOCUMENT)
  expect(stdout).toBe('8080\ntrue\nc\'d\n192.0.2.1\ndotted\na b\nc\'d\n[{"address":"192.0.2.1","name":"n1"}]\n"it\'s\\n\\"quoted\\" $HOME `id` \\\\ \\n"\nnull\npeers\nnonenonenull\nthere\nexit 1\n')
})

test('a key that is too long for a name of a file is in the JSON of what it is in, and crowbar-get says so', () => {
  const [long, deep] = ['漢'.repeat(30), Array.from({ length: 60 }, () => 'k'.repeat(60))]
  const document = { web: { [long]: 1, ok: 2, deep: deep.reduceRight<Json>((value, key) => ({ [key]: value }), 3) } }
  const { outcome, stdout } = runScript(`crowbar-get web.ok; crowbar-get --json web | cksum >/dev/null && crowbar-get --json web | wc -c; crowbar-get --default x web.${encodeKey(long)} 2>&1 | cut -c 1-58; crowbar-get --has web.deep.${deep.join('.')} 2>/dev/null; echo $?`, document)
  expect(outcome).toMatchObject({ kind: 'succeeded' })
  expect(stdout).toBe(`2${Buffer.byteLength(canonical(document.web)) + 1}\ncrowbar-get: no file can have a name as long as web.%E6%BC\n64\n`)
})

test('a script reads the same values as variables', () => {
  const { stdout } = runScript('. "$CROWBAR_ATTRIBUTES"\nprintf "%s|" "$web_http_port" "$web_enabled" "$web_aliases" "$web_aliases_1" "$web_motd" "$wants_peers_0_name" "$web_nothing" "$web_site_conf" "$CROWBAR_STEP"\n', DOCUMENT)
  expect(stdout).toBe(`8080|true|a b\nc'd|c'd|${DOCUMENT.web.motd}|n1||dotted|d/r@n1|`)
})

test('any string comes back byte for byte by every way', () => {
  const strings = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !text.includes('\0') && text.isWellFormed())
  fc.assert(fc.property(strings, (text) => {
    const { outcome } = runScript('. "$CROWBAR_ATTRIBUTES"\ncrowbar-get a.b | crowbar-provide got --stdin\ncrowbar-provide variable -- "$a_b"\ncrowbar-provide json --json "$(crowbar-get --json a.b)"\n', { a: { b: text } })
    expect(outcome).toMatchObject({ kind: 'succeeded', provides: { got: text, variable: text, json: text } })
    rmSync(join(work, 'results'), { recursive: true })
  }), { numRuns: 25, examples: [['\n\n'], ["'"], ['\\'], ['$(id)'], ['--json'], ['\u{1F600}'], ['\r\n'], ['']] })
})

test('what is provided is not converted: a string of digits stays a string, and --json gives types', () => {
  const { outcome } = runScript('crowbar-provide a 42\ncrowbar-provide b --json 42\ncrowbar-provide c --json \'{"x":[true,null]}\'\nprintf "line\\n" > "$CROWBAR_PROVIDES/d"\nprintf "[]" | crowbar-provide e --json\nprintf 1.5 > "$CROWBAR_FACTS/load.json"\ncrowbar-provide f --json "[9007199254740991, -9007199254740991, 1e21, 1.0, -0, 0.1]"\n')
  expect(outcome).toEqual({ kind: 'succeeded', provides: { a: '42', b: 42, c: { x: [true, null] }, d: 'line\n', e: [], f: [9007199254740991, -9007199254740991, 1e21, 1, -0, 0.1] }, facts: { load: 1.5 } })
})

test('a later value of a name replaces an earlier one, also of the other kind', () => {
  expect(runScript('crowbar-provide a 1\ncrowbar-provide a --json 2\n').outcome).toMatchObject({ provides: { a: 2 } })
})

test('crowbar-unchanged makes the outcome unchanged', () => {
  expect(runScript('crowbar-unchanged\ncrowbar-provide a x\n').outcome).toEqual({ kind: 'unchanged', provides: { a: 'x' }, facts: {} })
})

test.each<[string, string, string]>([
  ['another exit code', 'exit 3\n', 'JIG_EXIT'],
  ['JSON that is none', 'crowbar-provide a --json "{"\n', 'JIG_RESULT'],
  ['a string that is not UTF-8', String.raw`printf "\377" > "$CROWBAR_PROVIDES/a"`, 'JIG_RESULT'],
  ['a number that JSON cannot keep', 'crowbar-provide a --json "[1, 9007199254740993]"\n', 'JIG_RESULT'],
  ['a number that is none', 'crowbar-provide a --json 1e999\n', 'JIG_RESULT'],
  ['half a character', String.raw`crowbar-provide a --json '"\ud83d"'`, 'JIG_RESULT'],
  ['a key that would be lost', 'crowbar-provide a --json \'{"__proto__":1}\'\n', 'JIG_RESULT'],
  ['a name that would be lost', 'echo x > "$CROWBAR_PROVIDES/__proto__"\n', 'JIG_RESULT'],
  ['a name that is none', 'echo x > "$CROWBAR_PROVIDES/a-b"\n', 'JIG_RESULT'],
  ['a name as string and as JSON', 'echo x > "$CROWBAR_PROVIDES/a"; echo 1 > "$CROWBAR_PROVIDES/a.json"\n', 'JIG_RESULT'],
])('a script with %s fails', (_, script, code) => {
  expect(runScript(script).outcome).toMatchObject({ kind: 'failed', code })
})

test('crowbar-get and crowbar-provide refuse names that could leave their folders', () => {
  const { stdout } = runScript('for name in ../x a/b "" 1a; do crowbar-provide "$name" v 2>/dev/null; echo $?; done\nfor path in ../x a/b "" .a a..b; do crowbar-get "$path" 2>/dev/null; echo $?; done\n')
  expect(stdout).toBe('64\n64\n64\n64\n64\n64\n64\n64\n64\n')
})

test('two paths of one name are not set, and the file says so', () => {
  expect(shellAttributes({ a: { 'b-c': 1, b_c: 2, d: 'x' } })).toBe("# a_b_c is not set: it would be a.b-c, a.b_c\na_d='x'\n")
})

test('names without an underscore and strings with a NUL are left out', () => {
  expect(shellAttributes({ path: 'x', a: { b: 'x\0y' } })).toBe("# a_b is not set: a.b holds a NUL\n# path is not set: path could be a variable of the shell's own\n")
})

test('every name is one that a shell accepts, and quoting holds for dash', () => {
  expect(variableName(['1a', 'ü.b'])).toBe('_1a___b')
  expect(execFileSync('sh', ['-c', `printf %s ${shellQuote("a'b\n$x")}`], { encoding: 'utf8' })).toBe("a'b\n$x")
})

test('keys are encoded so that none collide or leave the folder', () => {
  expect(['a-b_1', 'a.b', '..', 'a/b', 'ü', '', '%'].map(encodeKey)).toEqual(['a-b_1', 'a%2Eb', '%2E%2E', 'a%2Fb', '%C3%BC', '%', '%25'])
})

test('a script without a first line for the kernel runs by its ending', () => {
  const input = { document: {}, content: '/c', work: '/w', results: '/r', secretive: false }
  expect(scriptJig.export({ ...input, entry: 'a.py', entryText: 'print(1)' }).command).toEqual(['python3', '/c/a.py'])
  expect(scriptJig.export({ ...input, entry: 'a', entryText: 'true' }).command).toEqual(['sh', '/c/a'])
  expect(scriptJig.export({ ...input, entry: 'a.sh', entryText: '#!/bin/bash\n' }).command).toEqual(['/c/a.sh'])
})

test('the test jig says what its entry says', () => {
  const jig = chooseJig('test')
  const input = { document: {}, entry: 'e.json', content: '', work: '', results: '', secretive: false }
  const end = { exitCode: 0, files: new Map<string, Uint8Array>(), said: '' }
  expect(jig?.import(end, { ...input, entryText: '{"provides":{"a":1}}' })).toEqual({ kind: 'succeeded', provides: { a: 1 }, facts: {} })
  expect(jig?.import(end, { ...input, entryText: '{"outcome":"failed","message":"no"}' })).toEqual({ kind: 'failed', code: 'JIG_EXIT', message: 'no' })
  expect(jig?.import(end, { ...input, entryText: '[]' })).toMatchObject({ kind: 'failed', code: 'JIG_RESULT' })
  expect(chooseJig('noop')?.import(end, { ...input, entryText: '' })).toEqual({ kind: 'unchanged', provides: {}, facts: {} })
  expect(chooseJig('constructor')).toBeUndefined()
})

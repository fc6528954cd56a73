import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { chooseJig } from '../../agent/jigs/choose-jig.ts'
import { JigValueError } from '../../agent/jigs/jig.ts'
import type { Jig, JigInput, JigOutcome } from '../../agent/jigs/jig.ts'
import type { JigName } from '../../schemas/documents/barclamp.ts'
import type { Json } from '../../schemas/shape.ts'
import { needDebianPackages } from './debian-packages.ts'
import { BEYOND_CFENGINE, OTHERS, STRINGS } from './odd-values.ts'

/** The tools themselves are given values that they like to take for others, and hand them back. */
let folder = ''
beforeAll(() => needDebianPackages(['ansible-core', 'puppet-agent', 'cfengine3']))
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-values-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const ALL: readonly Json[] = [...STRINGS, ...OTHERS, ...BEYOND_CFENGINE]

function carriedOut(name: JigName, entry: string, entryText: string, values: readonly Json[]): JigOutcome {
  const jig = chooseJig(name) as Jig
  const input: JigInput = {
    document: { given: { values: [...values] }, wants: {}, crowbar: { step: 'd/r@n1', deployment: 'd', site: { name: 's', domain: '' }, node: { name: 'n1', tags: [] }, role: { name: 'r' } } },
    entry, entryText, content: join(folder, 'content'), work: join(folder, 'work'), results: join(folder, 'results'), secretive: false,
  }
  for (const path of [input.content, join(input.results, 'provides'), join(input.results, 'facts')]) mkdirSync(path, { recursive: true })
  writeFileSync(join(input.content, entry), entryText)
  const { files, command, environment } = jig.export(input)
  for (const { path, text, mode } of files) {
    mkdirSync(dirname(join(input.work, path)), { recursive: true })
    writeFileSync(join(input.work, path), text, { mode })
  }
  const [program = '', ...args] = command ?? []
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: input.content, encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: folder, ...environment } })
  const left = readdirSync(input.results, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  return jig.import({ exitCode: status ?? -1, files: new Map(left.map((path) => [path.slice(input.results.length + 1), readFileSync(path)])), said: `${stdout}\n${stderr}` }, input)
}

const providesOf = (outcome: JigOutcome): unknown => (outcome.kind === 'failed' ? outcome : outcome.provides['all'])

test('Ansible: every value comes back as it went, by a file as JSON', () => {
  const playbook = '- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy: { content: "{{ given[\'values\'] | to_json }}", dest: "{{ lookup(\'env\', \'CROWBAR_PROVIDES\') }}/all.json" }\n'
  expect(providesOf(carriedOut('ansible', 'p.yml', playbook, ALL))).toEqual(ALL)
})

test('Ansible: every value comes back as it went, as a part of what set_stats is given', () => {
  const playbook = '- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.set_stats: { data: "{{ {\'all\': given[\'values\']} }}" }\n'
  expect(providesOf(carriedOut('ansible', 'p.yml', playbook, ALL))).toEqual(ALL)
})

test.each([
  ['a date', '2026-01-01', 'a value of the type date'],
  ['a key that is a number', '{ 1: x }', 'a key that is no string'],
  ['a number that is none, deep down', '[{ a: .nan }]', 'a number that is none'],
  ['a number too large', '9007199254740993', 'a number that is too large to be kept exactly'],
])('Ansible: set_stats with %s fails, and says so', (_, value, message) => {
  const playbook = `- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.set_stats: { data: { all: ${value} } }\n`
  expect(carriedOut('ansible', 'p.yml', playbook, [])).toMatchObject({ kind: 'failed', code: 'JIG_RESULT', message: expect.stringContaining(`p.yml: all of set_stats holds ${message}`) as unknown })
})

/** Whether the jig says of a value that cf-agent would not keep it. */
function isRefused(value: Json): boolean {
  const input: JigInput = { document: { given: { value } }, entry: 'p.cf', entryText: '', content: '/c', work: '/w', results: '/r', secretive: false }
  try {
    chooseJig('cfengine')?.export(input)
    return false
  } catch (error) {
    if (error instanceof JigValueError) return true
    throw error
  }
}

test('CFEngine: every value that is not refused comes back as it went, by a file as JSON', () => {
  const policy = 'bundle agent __main__\n{\n  files:\n    "$(def.crowbar_provides)/all.json" create => "true", edit_line => all(format("%S", "def.given"));\n}\nbundle edit_line all(text)\n{\n  insert_lines:\n    "$(text)";\n}\n'
  expect(ALL.filter(isRefused)).toEqual(BEYOND_CFENGINE)
  expect(providesOf(carriedOut('cfengine', 'p.cf', policy, [...STRINGS, ...OTHERS]))).toEqual({ values: [...STRINGS, ...OTHERS] })
})

test('CFEngine: a policy that takes a value by its place reads what was said', () => {
  const scalars = [...STRINGS, ...OTHERS].filter((value) => value !== null && typeof value !== 'object')
  const policy = 'bundle agent __main__\n{\n  vars:\n    "i" slist => getindices("def.given[values]");\n  reports:\n    "$(def.given[values][$(i)])" report_to_file => "$(def.crowbar_provides)/s$(i)";\n}\n'
  const outcome = carriedOut('cfengine', 'p.cf', policy, scalars)
  const read = scalars.map((value, i) => {
    const text = outcome.kind === 'failed' ? outcome.message : (outcome.provides[`s${i}`] as string).replace(/\n$/, '')
    return typeof value === 'number' ? Number(text) : text
  })
  expect(read).toEqual(scalars.map((value) => (typeof value === 'boolean' ? String(value) : value)))
})

const TOLD_BY_RUBY = "file { \"${facts['crowbar_provides']}/all.json\": content => inline_template(\"<%= require 'json'; JSON.generate(@values) %>\") }\n"

test('Puppet: every value comes back as it went, by a file as JSON', () => {
  const manifest = `$values = lookup('given')['values']\n${TOLD_BY_RUBY}`
  expect(providesOf(carriedOut('puppet', 'p.pp', manifest, ALL))).toEqual(ALL)
})

test('Puppet: every string comes back byte for byte, by a file', () => {
  const manifest = "lookup('given::values').each |$i, $value| {\n  file { \"${facts['crowbar_provides']}/s${i}\": content => $value }\n}\n"
  const outcome = carriedOut('puppet', 'p.pp', manifest, STRINGS)
  expect(outcome).toEqual({ kind: 'unchanged', provides: Object.fromEntries(STRINGS.map((text, i) => [`s${i}`, text])), facts: {} })
})

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

/** The tools themselves are given values that they like to take for others, and hand them back. */
let folder = ''
beforeAll(() => needDebianPackages(['ansible-core', 'puppet-agent', 'cfengine3']))
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-values-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const STRINGS = ['', ' lead and trail ', '007', '1', '1.0', '1e3', 'yes', 'No', 'true', 'null', '~', '[1, 2]', '{"a": 1}', "{'a': 1}", '{{ x }}', '{% if %}', '%{x}', "it's \"quoted\"", 'a: b # c', '!x &a *b', 'line\nline\n', 'tab\tbell', 'grüße 𝔘 漢字', '\u2028', '2026-01-01', '0x1F', '\\n \\ \\\\', '100 %', '`x`']
const OTHERS: readonly Json[] = [0, -1, 9007199254740991, -9007199254740991, 0.1, -2.5, 0.1235, 2147483647, -2147483648, 1.5e300, 5e-324, true, false, null, [], {}, [[null, '1', 1]], { 'a b': { '0': ['x'] }, 'é': false }]

function carriedOut(name: JigName, entry: string, entryText: string, values: readonly Json[]): JigOutcome {
  const jig = chooseJig(name) as Jig
  const input: JigInput = {
    document: { given: { values: [...values] }, wants: {}, crowbar: { step: 'd/r@n1', deployment: 'd', site: { name: 's', domain: '' }, node: { name: 'n1', tags: [] }, role: { name: 'r' } } },
    entry, entryText, content: join(folder, 'content'), work: join(folder, 'work'), results: join(folder, 'results'),
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
  expect(providesOf(carriedOut('ansible', 'p.yml', playbook, [...STRINGS, ...OTHERS]))).toEqual([...STRINGS, ...OTHERS])
})

test('Ansible: every value comes back as it went, as a part of what set_stats is given', () => {
  const playbook = '- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.set_stats: { data: "{{ {\'all\': given[\'values\']} }}" }\n'
  expect(providesOf(carriedOut('ansible', 'p.yml', playbook, [...STRINGS, ...OTHERS]))).toEqual([...STRINGS, ...OTHERS])
})

/** Whether the jig says of a value that cf-agent would not keep it. */
function isRefused(value: Json): boolean {
  const input: JigInput = { document: { given: { value } }, entry: 'p.cf', entryText: '', content: '/c', work: '/w', results: '/r' }
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
  const values = [...STRINGS, ...OTHERS].filter((value) => !isRefused(value))
  expect(values.length).toBe(STRINGS.length + OTHERS.length - 5)
  expect(providesOf(carriedOut('cfengine', 'p.cf', policy, values))).toEqual({ values })
})

test('Puppet: every string comes back byte for byte, by a file', () => {
  const manifest = "lookup('given::values').each |$i, $value| {\n  file { \"${facts['crowbar_provides']}/s${i}\": content => $value }\n}\n"
  const outcome = carriedOut('puppet', 'p.pp', manifest, STRINGS)
  expect(outcome).toEqual({ kind: 'unchanged', provides: Object.fromEntries(STRINGS.map((text, i) => [`s${i}`, text])), facts: {} })
})

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { crowbarHere } from './in-process.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-import-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function put(path: string, text: string): string {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
  return join(folder, path)
}

test('documents and report are written, with group_vars found beside the inventory; all understood is exit 0', async () => {
  const hosts = put('inv/hosts', '[web]\nw1\n')
  put('inv/group_vars/web.yml', 'port: 80\n')
  const out = join(folder, 'out')
  const { status, stdout, stderr } = await crowbarHere(['import', '--from', 'ansible', hosts, '--out', out])
  expect([status, stdout.split('\n').at(-2)]).toEqual([0, '3 values: 3 mapped, 0 kept as they are, 0 refused'])
  expect(readFileSync(join(out, 'nodes.yaml'), 'utf8')).toBe('kind: node\nname: w1\ntags: [web]\nattributes:\n  ansible: { port: 80 }\n')
  expect(JSON.parse(readFileSync(join(out, 'imported/report.json'), 'utf8'))).toMatchObject({ counts: { mapped: 3, raw: 0, refused: 0 } })
  expect(stderr).toContain('crowbar validate')
})

test('what is not understood is exit 1, in text and in JSON, and without --out nothing is written', async () => {
  const hosts = put('hosts', 'a\nb c\n')
  const text = await crowbarHere(['import', '--from', 'ansible', hosts])
  expect([text.status, text.stdout.split('\n')[0]]).toEqual([1, 'hosts:2:1: refused /2/text (what follows a host is `name=value`)'])
  const json = await crowbarHere(['import', '--from', 'ansible', hosts, '--format', 'json'])
  expect(JSON.parse(json.stdout)).toMatchObject({ counts: { refused: 1 }, fields: [{ fate: 'mapped' }, { fate: 'refused', line: 2, column: 1 }], files: ['barclamps/ansible/barclamp.yaml', 'deployment.yaml', 'nodes.yaml'] })
  const broken = await crowbarHere(['import', '--from', 'ansible', put('h.yml', 'a: [')])
  expect([broken.status, /h\.yml:1:\d+: error\[YAML_SYNTAX\]/.test(broken.stderr)]).toEqual([1, true])
})

test('a folder that is not empty, a file that is not there, and formats that there are not', async () => {
  const hosts = put('hosts', 'a\n')
  expect((await crowbarHere(['import', '--from', 'ansible', hosts, '--out', folder])).status).toBe(64)
  expect(existsSync(join(folder, 'nodes.yaml'))).toBe(false)
  expect((await crowbarHere(['import', '--from', 'ansible', join(folder, 'none')])).status).toBe(1)
  expect((await crowbarHere(['import', '--from', 'chief', hosts])).status).toBe(64)
  expect((await crowbarHere(['import', '--from', 'ansible', hosts, '--network', 'No Network'])).status).toBe(64)
  // Files are named from the folder that all of them are in, and one that is named twice is one.
  const both = await crowbarHere(['import', '--from', 'ansible', `${folder}/inv/../hosts`, put('inv/hosts', 'b x\n'), '--format', 'json'])
  expect([...new Set((JSON.parse(both.stdout) as { fields: { file: string }[] }).fields.map(({ file }) => file))].toSorted()).toEqual(['hosts', 'inv/hosts'])
  expect((await crowbarHere(['import', '--from', 'ansible', hosts, `${folder}/./hosts`])).status).toBe(0)
  mkdirSync(join(folder, 'deep'))
  put('deep/b', '[g]\nx\n')
  expect((await crowbarHere(['import', '--from', 'ansible', join(folder, 'deep')])).status).toBe(0)
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readConfig } from '../../../agent/config/read-config.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-config-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (text: string): string => {
  const file = join(folder, 'agent.yaml')
  writeFileSync(file, text)
  return file
}

test('a short file is enough, and paths in it are relative to it', async () => {
  expect(await readConfig(write('site: { repository: site.git }\nnode: adm1\ndata: data\n'))).toMatchObject({
    repository: join(folder, 'site.git'), branch: 'main', node: 'adm1', data: join(folder, 'data'), store: join(folder, 'data/store'),
    socket: join(folder, 'data/control.sock'), ports: { http: 8080, nodes: 8443 }, followMs: 10_000, stager: null, frozen: false,
  })
})

test.each(['https://git.example.com/site.git', 'git@git.example.com:site.git', 'ssh://git.example.com/site.git'])('%s stays a URL', async repository => {
  expect((await readConfig(write(`site: { repository: "${repository}" }\nnode: adm1\n`))).repository).toBe(repository)
})

test.each([
  ['node: adm1\n', /must have required property 'site'/],
  ['site: { repository: x }\nnode: adm1\nstor: y\n', /additional properties: stor/],
  ['site: { repository: x }\nnode: "Adm 1"\n', /node must match pattern/],
  ['site: { repository: x\nnode: adm1\n', /agent\.yaml/],
  ['', /the file must be object/],
])('%j is refused in words', async (text, reason) => {
  await expect(readConfig(write(text))).rejects.toThrow(reason)
})

test('a file that is not there is said by name', async () => {
  await expect(readConfig(join(folder, 'none.yaml'))).rejects.toThrow(/cannot read .*none\.yaml/)
})

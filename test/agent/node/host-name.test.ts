import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHostName } from '../../../agent/node/host-name.ts'
import type { HostName } from '../../../agent/node/host-name.ts'

let root: string
let running: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'crowbar-host-name-'))
  running = 'db1'
  await mkdir(join(root, 'etc'))
  await put('hostname', 'db1\n')
  await put('hosts', '127.0.0.1 localhost\n10.0.0.5 db1.example.com db1 # db1, the first\n10.0.0.6\tdb2.example.com\tdb2\n::1 localhost ip6-localhost\n10.0.0.7 db1.elsewhere.com\n')
})
afterEach(() => rm(root, { recursive: true, force: true }))

const put = (name: string, text: string): Promise<void> => writeFile(join(root, 'etc', name), text)
const read = (name: string): Promise<string> => readFile(join(root, 'etc', name), 'utf8')
const open = (set: (name: string) => Promise<void> = (name) => Promise.resolve(void (running = name))): Promise<HostName> =>
  openHostName({ file: join(root, 'host-name.json'), root, first: 'db1', kernel: { get: () => running, set }, addresses: () => ['127.0.0.1', '10.0.0.5'] })

test('a host goes by the new name of its node, in its own lines and in the kernel, and remembers it', async () => {
  await (await open()).become('db2')
  expect([await read('hostname'), running]).toEqual(['db2\n', 'db2'])
  expect(await read('hosts')).toBe('127.0.0.1 localhost\n10.0.0.5 db2.example.com db2 # db1, the first\n10.0.0.6\tdb2.example.com\tdb2\n::1 localhost ip6-localhost\n10.0.0.7 db1.elsewhere.com\n')
  await (await open()).become('web')
  expect([await read('hostname'), running, (await read('hosts')).split('\n')[1]]).toEqual(['web\n', 'web', '10.0.0.5 web.example.com web # db1, the first'])
})

test('nothing is touched under the name that it has, nor what somebody called otherwise', async () => {
  await (await open()).become('db1')
  await expect(stat(join(root, 'host-name.json'))).rejects.toThrow('ENOENT')
  await put('hostname', 'mine.example.com\n')
  running = 'mine'
  await (await open()).become('db3')
  expect([await read('hostname'), running]).toEqual(['mine.example.com\n', 'mine'])
  // Asked again, it is not looked at again: a person may have put an old name there.
  await put('hostname', 'db1\n')
  await (await open()).become('db3')
  expect(await read('hostname')).toBe('db1\n')
})

test('a rename that was cut short is brought to its end, also when there is another name by then', async () => {
  const broken = await open(() => Promise.reject(new Error('no')))
  await expect(broken.become('db2')).rejects.toThrow('no')
  expect([await read('hostname'), running]).toEqual(['db2\n', 'db1'])
  await (await open()).become('db3')
  expect([await read('hostname'), running, (await read('hosts')).split('\n')[1]]).toEqual(['db3\n', 'db3', '10.0.0.5 db3.example.com db3 # db1, the first'])
  expect(await readFile(join(root, 'host-name.json'), 'utf8')).toBe('["db3"]\n')
})

test('a name with a domain keeps the domain; links stay links, and missing files missing', async () => {
  await put('real', 'db1.example.com\n')
  await rm(join(root, 'etc/hostname'))
  await rm(join(root, 'etc/hosts'))
  await symlink('real', join(root, 'etc/hostname'))
  running = 'db1.example.com'
  await (await open()).become('db2')
  expect([await read('real'), running]).toEqual(['db2.example.com\n', 'db2.example.com'])
  await expect(stat(join(root, 'etc/hosts'))).rejects.toThrow('ENOENT')
})

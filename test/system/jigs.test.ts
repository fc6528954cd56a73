import { afterAll, beforeAll, expect, test } from 'vitest'
import { openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

/** Ansible, Puppet, CFEngine and a program of one's own on three container nodes, from staged packages. */
let rack: TestRack

beforeAll(async () => {
  rack = await openHeldRack('site-examples/any-cmdb')
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
})

const MOTTO = '100 % {{ as written }}'
const sealed = (): string => `${rack.read('node-1', 'var/lib/chain/token')}@192.168.126.81:8443 ${MOTTO}`

test('four tools hand values to each other', () => {
  expect(rack.report.problems).toEqual([])
  expect(rack.report.outcome).toBe('complete')
  expect(Object.fromEntries(rack.report.steps.filter(({ id }) => id.startsWith('chain/')).map(({ id, state }) => [id, state])))
    .toEqual({ 'chain/token@node-1': 'succeeded', 'chain/seal@node-2': 'succeeded', 'chain/copy@node-3': 'succeeded', 'chain/report@node-1': 'unchanged' })
  expect(rack.read('node-1', 'var/lib/chain/token')).toMatch(/^[0-9a-f]{32}$/)
  expect(rack.read('node-1', 'var/lib/chain/settings')).toBe(`8443 ${MOTTO}\n`)
  expect(rack.read('node-2', 'var/lib/chain/sealed')).toBe(sealed())
  expect(rack.read('node-3', 'var/lib/chain/copied')).toBe(`${sealed()}\n`)
  expect(rack.report.reported['chain/report@node-1']).toEqual({ length: sealed().length })
})

test('the token is in no event', async () => {
  expect(JSON.stringify(await rack.eventsAfter(0)).includes(rack.read('node-1', 'var/lib/chain/token') ?? '')).toBe(false)
})

test.each([
  ['Ansible', 'playbooks/token.yml', (text: string) => text.replace('cmd: "umask', 'cmd: "exit 7; umask').replace(', creates: /var/lib/chain/token', ''), 'chain/token@node-1', /playbooks\/token\.yml ended with exit code 2: task 'the token is there' \(playbooks\/token\.yml:[0-9]+\): non-zero return code/],
  ['Puppet', 'manifests/seal.pp', (text: string) => `${text}\nexec { '/bin/false': }\n`, 'chain/seal@node-2', /manifests\/seal\.pp ended with exit code 6: .*\/bin\/false/],
  ['CFEngine', 'policies/copy.cf', (text: string) => text.replace('create => "true";', 'creates => "true";'), 'chain/copy@node-3', /policies\/copy\.cf: policies\/copy\.cf:5:[0-9]+: error: Unknown attribute 'creates'/],
])('a failure of %s says where, and the mended commit goes on', async (_, file, spoil, step, message) => {
  const path = `site/barclamps/chain/${file}`.replace('site/', '')
  let good = ''
  rack.commit({ [path]: text => {
    good = text
    return spoil(text)
  } })
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  const failed = (await rack.status()).steps.find(one => one.id === step)
  expect(failed?.state).toBe('failed')
  expect(JSON.stringify(failed)).toMatch(message)
  rack.commit({ [path]: () => good })
  expect((await rack.applyToTheEnd()).state).toBe('complete')
})

import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSecret, readIdentities } from '../../schemas/age.ts'
import { ROOT } from './bundle-site.ts'
import { needDebianPackages } from './debian-packages.ts'
import { crowbar } from './held-rack.ts'

let folder = ''
let site = ''
beforeAll(async () => {
  await needDebianPackages(['age'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-age-'))
  site = join(folder, 'site')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Sets a secret of a site with this recipient. */
function set(recipient: string, value: string): void {
  rmSync(site, { recursive: true, force: true })
  cpSync(join(ROOT, 'site-examples/first-light'), site, { recursive: true })
  const file = join(site, 'site.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('kind: site\n', `kind: site\nrecipients: [${recipient}]\n`))
  const from = join(folder, 'value')
  writeFileSync(from, value)
  expect(crowbar('secret', 'set', 'a', '--file', from, '--site', site)).toMatchObject({ code: 0, stdout: 'a v1\n' })
}

const opened = (key: string): string => execFileSync('age', ['-d', '-i', key, join(site, 'secrets/a.age')], { encoding: 'utf8' })

test('the program age reads what we write', () => {
  const key = join(folder, 'ours.age')
  set(crowbar('secret', 'identity', key).stdout.trim(), 'ours')
  expect(opened(key)).toBe('ours')
})

test('a key of age-keygen is an identity and a recipient', async () => {
  const key = join(folder, 'theirs.age')
  execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' })
  const recipient = execFileSync('age-keygen', ['-y', key], { encoding: 'utf8' }).trim()
  set(recipient, 'theirs')
  const identities = await readIdentities(readFileSync(key, 'utf8'))
  if (typeof identities === 'string') throw new Error(identities)
  expect(identities.recipients).toEqual([recipient])
  expect(await openSecret(readFileSync(join(site, 'secrets/a.age')), identities)).toMatchObject({ kind: 'opened', value: 'theirs' })
  expect(opened(key)).toBe('theirs')
})

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { snapshotSite } from '../../../agent/rack/site-snapshot.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-snapshot-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function write(files: Readonly<Record<string, string>>): string {
  const site = join(folder, 'my-site')
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(site, path)), { recursive: true })
    writeFileSync(join(site, path), text)
  }
  return site
}

const snapshot = (site: string, leaveOut: string): ReturnType<typeof snapshotSite> => snapshotSite(site, { folder: join(folder, 'work'), leaveOut, signal: AbortSignal.timeout(20_000) })
const git = (repository: string, ...args: string[]): string => execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim()

test('the site is copied as it is, without machines, earlier rehearsals, and the folder that is kept in it', async () => {
  const site = write({
    'site.yaml': 'kind: site\n', 'barclamps/a/golden/run.sh': '', 'golden/plan.json': '{}', 'inventory/m-1.json': '{}', 'rehearsals/old/plan.json': '{}',
    'kept/plan.json': '{}', 'node_modules/x/y': '', 'ignored.log': 'x', '.gitignore': '*.log\n',
  })
  const { repository } = await snapshot(site, join(site, 'kept'))
  expect(git(repository, 'ls-tree', '-r', '--name-only', 'main').split('\n')).toEqual(['.gitignore', 'barclamps/a/golden/run.sh', 'ignored.log', 'site.yaml'])
  expect(readdirSync(join(folder, 'work'))).toEqual(['site.git'])
})

test('claims of real machines are released, all else in the lock stays', async () => {
  const site = write({ 'site.yaml': 'kind: site\n', 'site.lock.json': JSON.stringify({ version: 1, claims: { web: 'm-1' }, addresses: { 'web/admin': '192.0.2.1' } }) })
  const { repository } = await snapshot(site, join(folder, 'out'))
  expect(JSON.parse(git(repository, 'show', 'main:site.lock.json'))).toEqual({ version: 1, claims: {}, addresses: { 'web/admin': '192.0.2.1' } })
})

test('rack documents are read, and a wrong one is refused with its place', async () => {
  const site = write({ 'site.yaml': 'kind: site\n---\nkind: rack\nname: r\nmachines: [{ name: m1 }]\n' })
  expect((await snapshot(site, join(folder, 'out'))).racks).toEqual([{ kind: 'rack', name: 'r', machines: [{ name: 'm1' }] }])
  write({ 'more.yaml': 'kind: rack\nname: r\nmachines: []\n' })
  rmSync(join(folder, 'work'), { recursive: true })
  await expect(snapshot(site, join(folder, 'out'))).rejects.toMatchObject({ code: 'RACK_BAD_DOCUMENT', message: expect.stringContaining('more.yaml') as string })
})

test('what is not a folder is refused', async () => {
  await expect(snapshot(join(folder, 'nowhere'), join(folder, 'out'))).rejects.toMatchObject({ code: 'RACK_BAD_DOCUMENT' })
})

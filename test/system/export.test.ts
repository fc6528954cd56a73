import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { needDebianPackages } from './debian-packages.ts'
import { crowbar } from './held-rack.ts'

/** The tools themselves read what was exported for them. */
const run = promisify(execFile)
const SITES = ['first-light', 'any-cmdb', 'wants-across-nodes', 'austin']
let folder = ''
beforeAll(async () => {
  await needDebianPackages(['ansible-core', 'puppet-agent'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-export-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Vars = Record<string, unknown>

function exported(site: string, tool: string): string {
  const out = join(folder, site, tool)
  const { code, stderr } = crowbar('export', '--to', tool, '--site', `site-examples/${site}`, '--out', out)
  if (code !== 0) throw new Error(stderr)
  return out
}

function hostVars(site: string): Record<string, Vars> {
  return (JSON.parse(crowbar('export', '--to', 'ansible-json', '--site', `site-examples/${site}`).stdout) as { _meta: { hostvars: Record<string, Vars> } })._meta.hostvars
}

test.each(SITES)('%s: ansible-inventory reads the tree as the dynamic inventory says it, and the playbooks parse', async (site) => {
  const out = exported(site, 'ansible')
  const env = { ...process.env, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: 'true', ANSIBLE_INVENTORY_UNPARSED_FAILED: 'true', ANSIBLE_CONFIG: join(out, 'ansible.cfg') }
  const { stdout } = await run('ansible-inventory', ['-i', join(out, 'hosts.yml'), '--list'], { env, maxBuffer: 64 * 1024 * 1024 })
  const read = JSON.parse(stdout, (_key, value: unknown) => (value !== null && typeof value === 'object' && '__ansible_unsafe' in value ? value['__ansible_unsafe'] : value)) as { _meta: { hostvars: Record<string, Vars> } }
  expect(read._meta.hostvars).toEqual(hostVars(site))
  const played = existsSync(join(out, 'site.yml'))
  expect(played).toBe(site === 'any-cmdb')
  if (played) await run('ansible-playbook', ['-i', join(out, 'hosts.yml'), '--syntax-check', join(out, 'site.yml')], { env })
})

test.each(SITES)('%s: Puppet looks up what a node is given', async (site) => {
  const out = exported(site, 'puppet')
  const expected = hostVars(site)
  const [file] = readdirSync(join(out, 'data/nodes')).filter((name) => Object.keys(expected[name.split('.')[0] ?? '']?.['crowbar_roles'] ?? {}).length > 0)
  const certname = (file ?? '').replace(/\.yaml$/, '')
  const name = certname.split('.')[0] ?? ''
  const facts = join(out, 'facts.yaml')
  writeFileSync(facts, JSON.stringify({ clientcert: certname, hostname: name, domain: certname.slice(name.length + 1), fqdn: certname }))
  const { stdout } = await run('puppet', ['lookup', '--confdir', join(out, 'conf'), '--vardir', join(out, 'var'), '--hiera_config', join(out, 'hiera.yaml'), '--node', certname, '--facts', facts, '--render-as', 'json', 'crowbar_roles'])
  const words = (roles: unknown): unknown => Object.fromEntries(Object.entries(roles as Record<string, Vars>).map(([key, document]) => [key, Object.fromEntries(Object.entries(document).map(([part, value]) => [part.replaceAll('-', '_'), value]))]))
  expect(words(JSON.parse(stdout))).toEqual(expected[name]?.['crowbar_roles'])
})

test('a classifier says what a node is, and takes no path', async () => {
  const out = join(folder, 'first-light', 'puppet')
  const { stdout } = await run(join(out, 'enc'), ['web.first-light.example.com'])
  expect(stdout).toContain('crowbar_node: "web"')
  await expect(run(join(out, 'enc'), ['../enc'])).rejects.toMatchObject({ code: 64 })
})

import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keptByCfengine } from '../../compiler/export/cfengine.ts'
import { clusterOf } from '../../compiler/export/cluster.ts'
import type { Cluster } from '../../compiler/export/cluster.ts'
import { exportCluster } from '../../compiler/export/export.ts'
import { wordOf } from '../../compiler/export/names.ts'
import { EXAMPLE_SITES } from '../builders/example-sites.ts'
import { compiled as compiledTexts, compileTree, exampleTree, success } from '../compiler/compiling.ts'
import { needDebianPackages } from './debian-packages.ts'

/** The tools themselves read what was exported for them: every attribute of every node of every example site. */
const run = promisify(execFile)
const LOOKUP = fileURLToPath(new URL('puppet-lookup.rb', import.meta.url))
const MANY = { maxBuffer: 256 * 1024 * 1024 }
let folder = ''
const sites = new Map<string, { readonly cluster: Cluster; readonly compiled: ReturnType<typeof success> }>()
beforeAll(async () => {
  await needDebianPackages(['ansible-core', 'puppet-agent', 'cfengine3'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-export-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Vars = Record<string, unknown>

/** Values that look like something else to the one tool or the other. */
const VALUES = {
  oct: '0755', hex: '0x1F', sci: '1e3', sexa: '12:30:45', yes: 'yes', no: 'No', nul: 'null', til: '~', ver: '1.10', date: '2024-01-01', dash: '-', dashes: '---', colon: 'a: b', hash: 'a #b', star: '*a', amp: '&a', bang: '!vault x', at: '@x', tick: '`x`', brackets: '[1, 2]', braces: '{a: 1}', inf: '.inf', merge: '<<', spaces: '  x  ', empty: '',
  jinja: '{{ 7 * 7 }}', tag: '{% raw %}x{% endraw %}', lookup: "{{ lookup('pipe', 'id') }}", hiera: '%{facts.os.family}', literal: "%{literal('%')}{x}", erb: '<%= 1 %>', reference: '$(sys.fqhost)', list: '@(x)', shell: '`id` $HOME', backslash: 'C:\\x', tiny: 1e-7, far: 1e21, half: 0.5, none: null, lists: [[], [[]], [1, { '{{ k }}': '{{ z }}' }]], map: {}, 'a b': 1, 'a.b': 2, 'on': 3, '%{k}': 4, '-x': 5,
}
const ODD = {
  'n.json': JSON.stringify({ kind: 'node', name: 'n-1', os: 'debian-12', machine: { serial: 's' }, labels: { note: '{{ x }} %{y}' } }), 'barclamps/my-app/barclamp.yaml': 'kind: barclamp\nname: my-app\nversion: 1.0.0\nattributes: { type: object }\nroles: { app: {} }\n',
  'd.json': JSON.stringify({ kind: 'deployment', name: 'd', roles: { app: { nodes: ['n-1'] } }, attributes: { 'my-app': VALUES } }),
}
const SITES = [...EXAMPLE_SITES, 'odd']

function siteOf(name: string): { readonly cluster: Cluster; readonly compiled: ReturnType<typeof success> } {
  const known = sites.get(name)
  if (known !== undefined) return known
  const compiled = name === 'odd' ? compiledTexts(ODD) : success(compileTree(exampleTree(name)))
  const made = { compiled, cluster: clusterOf(compiled.plan, compiled.ordered.injected) }
  sites.set(name, made)
  return made
}

function exported(site: string, tool: string): string {
  const out = join(folder, site, tool)
  const { cluster, compiled: { plan, blobs } } = siteOf(site)
  const contentOf = (content: string): { path: string; bytes: Uint8Array; executable: boolean }[] => Object.entries(plan.contents[content] ?? {}).flatMap(([path, { sha256, mode }]) => {
    const bytes = blobs.get(sha256.replace('sha256:', ''))
    return bytes === undefined ? [] : [{ path, bytes, executable: mode === '0755' }]
  })
  for (const { path, text, executable } of exportCluster(tool, { cluster, contentOf }) ?? []) {
    mkdirSync(dirname(join(out, path)), { recursive: true })
    writeFileSync(join(out, path), text)
    if (executable === true) chmodSync(join(out, path), 0o755)
  }
  return out
}

/** What a node is given, from the plan and from no export. */
function given({ roles, attributes }: Cluster['nodes'][number]): { readonly attributes: Vars; readonly roles: Vars } {
  return { attributes, roles: Object.fromEntries(roles.map(({ key, document }) => [key, document ?? {}])) }
}

const words = (values: object): Vars => Object.fromEntries(Object.entries(values).map(([key, value]) => [wordOf(key), value as unknown]))

test.each(SITES)('%s: ansible-inventory reads every variable of every node, and the playbooks parse', async (site) => {
  const out = exported(site, 'ansible')
  const env = { ...process.env, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: 'true', ANSIBLE_INVENTORY_UNPARSED_FAILED: 'true', ANSIBLE_CONFIG: join(out, 'ansible.cfg') }
  const { stdout } = await run('ansible-inventory', ['-i', join(out, 'hosts.yml'), '--list'], { env, ...MANY })
  const read = JSON.parse(stdout, (_key, value: unknown) => (value !== null && typeof value === 'object' && '__ansible_unsafe' in value ? value['__ansible_unsafe'] : value)) as { _meta: { hostvars: Record<string, Vars> } }
  const expected = siteOf(site).cluster.nodes.map((node) => {
    const { attributes, roles } = given(node)
    return [node.name, { ...(node.address === null ? {} : { ansible_host: node.address }), ...words(attributes), crowbar_roles: Object.fromEntries(Object.entries(roles).map(([key, document]) => [key, words(document as object)])) }]
  })
  expect(read._meta.hostvars).toEqual(Object.fromEntries(expected))
  const played = existsSync(join(out, 'site.yml'))
  expect(played).toBe(site === 'any-cmdb')
  if (played) await run('ansible-playbook', ['-i', join(out, 'hosts.yml'), '--syntax-check', join(out, 'site.yml')], { env })
})

/** Barclamps, each of their attributes as a parameter of a class, and the documents of roles. */
function hieraOf(node: Cluster['nodes'][number]): Vars {
  const { attributes, roles } = given(node)
  return Object.fromEntries([...Object.entries(attributes).flatMap(([name, value]) => [[wordOf(name), value], ...Object.entries(value as Vars).filter(([key]) => !key.includes('.')).map(([key, child]) => [`${wordOf(name)}::${key}`, child])]), ['crowbar_roles', roles]])
}

test('Puppet looks up every key of every node of every site as the plan has it', async () => {
  const { stdout } = await run('ruby', [LOOKUP, ...SITES.map((site) => exported(site, 'puppet'))], MANY)
  const found = JSON.parse(stdout) as readonly Record<string, Vars>[]
  for (const [i, site] of SITES.entries()) expect(found[i], site).toEqual(Object.fromEntries(siteOf(site).cluster.nodes.map((node) => [node.fqdn, hieraOf(node)])))
})

test('puppet lookup --compile, given all the facts that identify a node, says the same', async () => {
  const out = exported('any-cmdb', 'puppet')
  const [node] = siteOf('any-cmdb').cluster.nodes.filter(({ roles }) => roles.length > 0)
  if (node === undefined) throw new TypeError('no node has roles')
  const facts = join(out, 'facts.yaml')
  writeFileSync(facts, JSON.stringify({ clientcert: node.fqdn, hostname: node.name, domain: node.fqdn.slice(node.name.length + 1), fqdn: node.fqdn }))
  const { stdout } = await run('puppet', ['lookup', '--confdir', join(out, 'conf'), '--vardir', join(out, 'var'), '--hiera_config', join(out, 'hiera.yaml'), '--node', node.fqdn, '--facts', facts, '--compile', '--render-as', 'json', 'crowbar_roles'])
  expect(JSON.parse(stdout)).toEqual(hieraOf(node)['crowbar_roles'])
})

test.each(SITES)('%s: cf-promises has every variable and class of every node', async (site) => {
  const out = exported(site, 'cfengine')
  for (const node of keptByCfengine(siteOf(site).cluster).nodes) {
    const policy = join(out, node.fqdn, 'promises.cf')
    writeFileSync(policy, 'bundle agent main { reports: "read"; }\n')
    const { stdout } = await run('cf-promises', ['-f', policy, String.raw`--show-vars=default:def\.`, '--show-classes=^(role|tag|os)_'], MANY)
    const variables = [...stdout.matchAll(/^default:def\.(\S+)\s+(\{.*\})\s+source=augments_file\s*$/gm)].map(([, name = '', value = '']) => [name, JSON.parse(value) as unknown])
    const classes = [...stdout.matchAll(/^((?:role|tag|os)_\S+)\s+source=augments_file/gm)].map(([, name = '']) => name)
    const { attributes, roles } = given(node)
    const { name, addresses, tags, labels, os } = node
    expect(Object.fromEntries(variables)).toEqual({ ...words(attributes), crowbar_node: { name, addresses, tags, labels, os }, crowbar_roles: roles })
    expect(classes.toSorted()).toEqual([...new Set([...node.roles.map((role) => `role_${role.name}`), ...tags.map((tag) => `tag_${tag}`), ...(os === null ? [] : [`os_${os}`])].map(wordOf))].toSorted())
  }
})

test('a classifier says what each node is, and takes no path', async () => {
  const out = exported('first-light', 'puppet')
  expect(readdirSync(join(out, 'enc.d')).length).toBe(siteOf('first-light').cluster.nodes.length)
  const { stdout } = await run(join(out, 'enc'), ['web.first-light.example.com'])
  expect(stdout).toContain('crowbar_node: "web"')
  await expect(run(join(out, 'enc'), ['../enc'])).rejects.toMatchObject({ code: 64 })
})

test('no value becomes a template when a playbook uses it', async () => {
  const out = exported('odd', 'ansible')
  const to = join(out, 'said.json')
  writeFileSync(join(out, 'say.yml'), `- hosts: n-1\n  connection: local\n  gather_facts: false\n  tasks:\n    - copy: { content: "{{ my_app | to_json }}", dest: ${to} }\n`)
  await run('ansible-playbook', ['-i', join(out, 'hosts.yml'), join(out, 'say.yml')], { env: { ...process.env, ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3', ANSIBLE_CONFIG: join(out, 'ansible.cfg') } })
  expect(JSON.parse(readFileSync(to, 'utf8'))).toEqual(VALUES)
})

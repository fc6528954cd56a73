import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { InventoryDocument } from '../../schemas/inventory.ts'
import type { Json } from '../../schemas/shape.ts'
import { NASTY, MANY } from '../compiler/import/ansible-inventories.ts'
import { imported, nodesOf } from '../compiler/import/read-back.ts'
import { needDebianPackages } from './debian-packages.ts'

/** Ansible reads the same inventories as the import, and says the same of every host. */
const run = promisify(execFile)
let folder = ''
beforeAll(async () => {
  await needDebianPackages(['ansible-core', 'facter', 'ohai', 'iproute2'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-import-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Listed {
  readonly [group: string]: { readonly hosts?: readonly string[]; readonly children?: readonly string[] }
}

test.each([...Object.entries(NASTY), ['a dozen files as one inventory', Object.fromEntries(Object.entries(MANY).slice(0, 12))] as const])('%s', async (name, files) => {
  const root = join(folder, name.replaceAll(/[^a-z]+/g, '-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    // Ansible runs a program for it.
    if (path.endsWith('.json') && !path.includes('_vars/')) writeFileSync(join(root, path), `#!/bin/sh\ncat <<'EOF'\n${text}\nEOF\n`, { mode: 0o755 })
    else writeFileSync(join(root, path), text)
  }
  const sources = Object.keys(files).filter((path) => !/(^|\/)(group|host)_vars\//.test(path)).toSorted().flatMap((path) => ['-i', join(root, path)])
  const env = { ...process.env, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: 'true', ANSIBLE_INVENTORY_UNPARSED_FAILED: 'true' }
  const { stdout } = await run('ansible-inventory', [...sources, '--list'], { env, cwd: root, maxBuffer: 64 * 1024 * 1024 })
  const theirs = JSON.parse(stdout, (_key, value: unknown) => (value !== null && typeof value === 'object' && '__ansible_unsafe' in value ? value['__ansible_unsafe'] : value)) as Listed & { readonly _meta: { readonly hostvars: Readonly<Record<string, Readonly<Record<string, Json>>>> } }
  const ours = nodesOf(imported('ansible', files), 'ansible')
  const members = membersOf(theirs)
  const hosts = [...new Set(Object.values(theirs).flatMap(({ hosts: listed }) => listed ?? []))].toSorted()
  expect(Object.keys(ours).toSorted()).toEqual(hosts)
  expect(Object.fromEntries(hosts.map((host) => [host, ours[host]?.values]))).toEqual(Object.fromEntries(hosts.map((host) => [host, theirs._meta.hostvars[host] ?? {}])))
  expect(Object.fromEntries(hosts.map((host) => [host, ours[host]?.groups]))).toEqual(Object.fromEntries(hosts.map((host) => [host, members(host)])))
})

test.each([['facter', ['--json', 'memory', 'networking', 'processors', 'os', 'disks']], ['facter', ['--yaml', 'memory', 'networking', 'processors', 'os', 'disks']], ['ohai', []]] as const)('what %s (%j) prints of this machine becomes an inventory with its memory, ports and processors', async (tool, options) => {
  const { stdout } = await run(tool, options, { maxBuffer: 64 * 1024 * 1024 })
  const result = imported(tool, { here: stdout })
  const [inventory] = result.files.filter(({ path }) => path.startsWith('inventory/')).map(({ text }) => JSON.parse(text) as InventoryDocument)
  const ports = readdirSync('/sys/class/net').filter((name) => existsSync(`/sys/class/net/${name}/device`)).map((name) => readFileSync(`/sys/class/net/${name}/address`, 'utf8').trim())
  expect(inventory?.facts.nics.map(({ mac }) => mac)).toEqual(expect.arrayContaining(ports))
  expect(inventory?.facts.memory.bytes).toBe(totalmem())
  expect(inventory?.facts.cpu.threads).toBe(cpus().length)
  expect(result.report.filter(({ fate }) => fate === 'refused')).toEqual([])
})

/** Groups of a host, those above too, as roles are named. */
function membersOf(listed: Listed): (host: string) => readonly string[] {
  const above = (group: string): readonly string[] => [group, ...Object.entries(listed).filter(([, { children }]) => children?.includes(group)).flatMap(([parent]) => above(parent))]
  return (host) => {
    const groups = Object.entries(listed).filter(([, { hosts }]) => hosts?.includes(host)).flatMap(([group]) => above(group)).filter((group) => group !== 'all')
    return [...new Set(groups.map((group) => group.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')))].toSorted()
  }
}

import type { Facts } from '../../schemas/inventory.ts'
import type { Json } from '../../schemas/shape.ts'
import { treeOf } from '../tree/tree.ts'
import type { Tree } from '../tree/tree.ts'
import type { BarclampFolder } from './read-barclamp.ts'
import type { TestCase } from './test-case.ts'

/** Where barclamps lie in the site of a case; the number tells them apart. */
export const CASE_BARCLAMPS = 'barclamps/'

/**
 * The site of a case: an admin network 10.0.0.0/16, an admin node, and the nodes of the case, each with a machine of its
 * own, in the order of their names at 10.0.1.1, 10.0.1.2 and so on.
 */
export function caseSite(test: TestCase, barclamps: readonly BarclampFolder[]): Tree {
  const nodes = Object.entries(test.nodes ?? { n1: {} })
  const documents: readonly Json[] = [
    { kind: 'site', name: 'test', domain: 'test.example.com', admin: { network: 'admin', address: '10.0.0.2' }, barclamps: ['builtin', { path: 'barclamps' }] },
    { kind: 'network', name: 'admin', subnets: [{ cidr: '10.0.0.0/16', ranges: { admin: '10.0.0.2-10.0.0.9', dhcp: '10.0.0.10-10.0.0.99', vip: '10.0.0.100-10.0.0.254', host: '10.0.1.1-10.0.9.254' } }] },
    { kind: 'node', name: 'admin', admin: true },
    ...nodes.map(([name, node]) => {
      const { facts: _, ...rest } = node ?? {}
      return { kind: 'node', name, os: 'debian-12', machine: { serial: name }, ...rest } as Json
    }),
    { kind: 'deployment', name: 'test', roles: test.roles as Json, ...(test.attributes === undefined ? {} : { attributes: test.attributes as Json }) },
    ...((test.documents ?? []) as readonly Json[]),
  ]
  const seen = nodes.filter(([, node]) => node?.facts !== null)
  const texts = new Map<string, string>([
    ...documents.map((document, i) => [`case/${String(i).padStart(4, '0')}.json`, JSON.stringify(document)] as const),
    ...seen.map(([name, node], i) => [`inventory/${name}.json`, JSON.stringify({ kind: 'machine', id: name, facts: over(machine(name, i), (node?.facts ?? {}) as Json) })] as const),
  ])
  const site = treeOf(Object.fromEntries(texts))
  const files = barclamps.flatMap(({ tree, folder }, i) => [...tree.files].filter(([path]) => path.startsWith(folder)).map(([path, file]) => [`${CASE_BARCLAMPS}${i}/${path.slice(folder.length)}`, file] as const))
  return { commit: null, files: new Map([...site.files, ...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) }
}

/** A small machine: one disk, one port. */
function machine(serial: string, index: number): Json {
  const facts: Facts = {
    architecture: 'amd64',
    firmware: { kind: 'uefi' },
    dmi: { vendor: 'Example', product: 'Machine', serial, uuid: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`, asset: '' },
    cpu: { model: 'cpu', cores: 2, threads: 4 },
    memory: { bytes: 8_589_934_592 },
    disks: [{ bytes: 34_359_738_368, rotational: false, model: 'disk', serial: `disk-${serial}`, wwn: '', bus: 'virtio', path: 'pci-0000:00:05.0' }],
    nics: [{ mac: `52:54:00:00:${hexByte(index >> 8)}:${hexByte(index)}`, driver: 'virtio_net', bus: '0000:00:03.0', speed: 10_000 }],
  }
  return facts as unknown as Json
}

function hexByte(value: number): string {
  return (value & 0xff).toString(16).padStart(2, '0')
}

function over(below: Json, above: Json): Json {
  if (below === null || above === null || typeof below !== 'object' || typeof above !== 'object' || Array.isArray(below) || Array.isArray(above)) return above
  const merged: Record<string, Json> = { ...(below as { readonly [key: string]: Json }) }
  for (const [key, value] of Object.entries(above)) merged[key] = Object.hasOwn(merged, key) ? over(merged[key] as Json, value) : value
  return merged
}

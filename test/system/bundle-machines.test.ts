import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RehearsalReport } from '../../agent/rack/rack-order.ts'
import { rehearseLoaded } from './bundle-offline.ts'
import { exampleRepository } from './bundle-site.ts'
import { crowbar } from './held-rack.ts'

/** Two virtual machines without KVM, on processors that may do other things too. */
const DEADLINE_MS = 150 * 60_000

let folder = ''
let report: RehearsalReport

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-bundle-machines-'))
  const site = join(folder, 'site')
  exampleRepository('first-light', site)
  // A store of its own: all that the rehearsal needs is in what is staged for it now.
  expect(crowbar('stage', '--site', site, '--store', join(folder, 'store')).code).toBe(0)
  const bundle = join(folder, 'first-light.bundle')
  const made = crowbar('bundle', 'create', bundle, '--site', site, '--store', join(folder, 'store'), '--key', join(folder, 'key'), '--format', 'json')
  expect([made.stderr.replace(/^made the key .*\n/, ''), made.code]).toEqual(['', 0])
  const { signer } = JSON.parse(made.stdout) as { signer: string }
  report = await rehearseLoaded('qemu', { bundle, fingerprint: signer, place: join(folder, 'offline'), hidden: [join(folder, 'store'), '/usr/lib/ipxe/ipxe.efi', '/usr/lib/ipxe/undionly.kpxe'] })
}, DEADLINE_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('machines with real firmware are discovered, installed and given their roles from a loaded bundle, where there is no route', () => {
  expect(report.steps.filter(({ id, state }) => state !== 'succeeded' && !(id.startsWith('stage/') && state === 'unchanged'))).toEqual([])
  expect(report.reported['hello/hello-check@client']).toEqual({ seen: 'Hello from first-light' })
  expect(report.secondApply).toMatch(/^nothing to do/)
  expect(report.canaries).toEqual([{ machine: 'm2', serial: 'FL-DATA-1', unchanged: true }])
})

test('they booted from the network first, and then from their disks', () => {
  for (const machine of ['m1', 'm2']) {
    const printed = readFileSync(join(folder, 'offline/out', `${machine}.console.log`), 'latin1')
    expect(printed).toContain('crowbar.url=')
    expect(printed).toMatch(/Command line: .*root=UUID=/)
  }
})

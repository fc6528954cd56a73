import { ProxyError } from '../proxy-error.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { ArchiveSource } from '../source.ts'
import { newUpstream } from '../upstream/upstreams.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import { AptRepository } from './repository.ts'
import type { Found } from '../found.ts'

interface Archive {
  readonly spec: ArchiveSource
  readonly upstreams: readonly Upstream[]
  readonly repositories: Map<string, AptRepository>
}

/** An apt source: archives, each with its suites, behind one path. */
export class AptSource {
  readonly name: string
  readonly upstreams: readonly Upstream[]
  readonly #archives: readonly Archive[]
  readonly #context: ProxyContext

  constructor(name: string, archives: readonly ArchiveSource[], context: ProxyContext) {
    this.name = name
    this.#context = context
    this.#archives = archives.map(spec => ({ spec, upstreams: spec.upstreams.map(newUpstream), repositories: new Map<string, AptRepository>() }))
    for (const archive of this.#archives) for (const suite of archive.spec.suites) this.#repository(archive, folderOf(suite))
    this.upstreams = this.#archives.flatMap(one => one.upstreams)
  }

  /** Repositories that were asked for or declared, and why they may be out of date. */
  get repositories(): readonly AptRepository[] {
    return this.#archives.flatMap(one => [...one.repositories.values()])
  }

  /** Where an upstream's URL leads below one of the bases of this source; undefined when it does not. */
  below(url: string): string | undefined {
    const wanted = url.replace(/^https?:/, '')
    const base = this.upstreams.map(one => one.base.replace(/^https?:/, '').replace(/^\/\/[^/@]*@/, '//')).find(one => wanted.startsWith(one))
    return base === undefined ? undefined : wanted.slice(base.length)
  }

  /**
   * What a path of the source stands for, and the repository that says so.
   *
   * @throws {ProxyError} NOT_FOUND with what is there instead.
   */
  async find(path: string, options: { readonly client: string; readonly force: boolean }): Promise<{ readonly found: Found; readonly repository: AptRepository }> {
    const all = this.#reposFor(path)
    let problem: unknown
    for (const repository of all) {
      const { folder } = repository.spec
      try {
        const found = path.startsWith(folder) ? await repository.metadata(path.slice(folder.length), options.client, options.force) : undefined
        const result = found ?? (isMetadata(path, folder) ? undefined : await repository.file(path, options.client))
        if (result !== undefined) return { found: result, repository }
      } catch (error) {
        // Another repository of the source may have it.
        problem ??= error
      }
    }
    if (problem !== undefined) throw problem
    throw new ProxyError('NOT_FOUND', this.#explain(path))
  }

  #repository(archive: Archive, folder: string): AptRepository {
    const known = archive.repositories.get(folder)
    if (known !== undefined) return known
    const { components, architectures, trust } = archive.spec
    const made = new AptRepository({ source: this.name, upstreams: archive.upstreams, folder, trust, components, architectures }, this.#context)
    archive.repositories.set(folder, made)
    return made
  }

  /** Those that could have a path: a path of metadata belongs to one suite. */
  #reposFor(path: string): AptRepository[] {
    const suite = /^(?<folder>dists\/.+?\/)(?:InRelease|Release(?:\.gpg)?)$/.exec(path)?.groups?.['folder']
    if (suite !== undefined) for (const archive of this.#archives) if (archive.spec.suites.length === 0) this.#repository(archive, suite)
    const all = this.repositories
    const owners = all.filter(({ spec }) => spec.folder !== '' && path.startsWith(spec.folder))
    if (owners.length > 0) return owners.toSorted((a, b) => b.spec.folder.length - a.spec.folder.length)
    return path.startsWith('dists/') ? all.filter(({ spec }) => spec.folder === '') : [...all]
  }

  #explain(path: string): string {
    const suites = this.#archives.flatMap(one => one.spec.suites)
    const suite = /^dists\/(.+?)\/(?:InRelease|Release)/.exec(path)?.[1]
    if (suite !== undefined && !suites.includes(suite)) return `${path}: the source ${this.name} has the suites ${suites.join(', ')}`
    return `${path}: no signed index of the source ${this.name} names it, so nothing vouches for it`
  }
}

/** A suite that ends with a slash is a folder with everything in it. sources.list(5) */
function folderOf(suite: string): string {
  if (!suite.endsWith('/')) return `dists/${suite}/`
  const plain = suite.split('/').filter(one => one !== '' && one !== '.').join('/')
  return plain === '' ? '' : `${plain}/`
}

function isMetadata(path: string, folder: string): boolean {
  const name = path.startsWith(folder) ? path.slice(folder.length) : undefined
  return name !== undefined && (/^(InRelease|Release|Release\.gpg)$/.test(name) || /(^|\/)by-hash\//.test(name) || (folder.startsWith('dists/')))
}

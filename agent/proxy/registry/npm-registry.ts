import { digestOf, fileUrl, isRecord, shown } from './registry-index.ts'
import type { Digest, IndexedFile, RegistryKind } from './registry-index.ts'

const ABBREVIATED = 'application/vnd.npm.install-v1+json'
const FORMS = [`${ABBREVIATED}, application/json;q=0.8`, 'application/json'] as const
const NAME = /^(?:@[A-Za-z0-9~._-]+\/)?[A-Za-z0-9~_-][A-Za-z0-9~._-]*$/

/**
 * A registry of npm: documents of packages, and their tarballs as `PACKAGE/-/NAME-VERSION.tgz`, wherever the upstream has them.
 *
 * Source: https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
 */
export const npmRegistry: RegistryKind = {
  forms: FORMS,
  paths: 'PACKAGE, @SCOPE/PACKAGE and PACKAGE/-/FILE.tgz',
  route(path) {
    const plain = path.replaceAll(/%2f/gi, '/')
    const { name = '', file } = /^(?<name>(?:@[^/]+\/)?[^/]+?)(?:\/-\/(?:@[^/]+\/)?(?<file>[^/]+\.tgz))?\/?$/.exec(plain)?.groups ?? {}
    if (!NAME.test(name)) return undefined
    return file === undefined ? { kind: 'index', name } : { kind: 'file', name, file }
  },
  // What `npm install` reads is a tenth of what there is to say of a package.
  offer: accept => (accept.includes(ABBREVIATED) ? { contentType: ABBREVIATED, form: FORMS[0] } : { contentType: 'application/json', form: FORMS[1] }),
  path: name => name.replace('/', '%2f'),
  read(bytes, name, url) {
    const files = new Map<string, IndexedFile>()
    for (const { file, dist } of versionsOf(parse(bytes, name), name)) {
      const [tarball, digest] = [fileUrl(dist['tarball'], url), digestOfDist(dist)]
      if (tarball !== undefined && digest !== undefined) files.set(file, { url: tarball, digest, bytes: undefined })
    }
    return { files }
  },
  write(bytes, name, { base, url }) {
    const document = parse(bytes, name)
    for (const { file, dist } of versionsOf(document, name)) {
      // What nothing vouches for is told as the upstream tells it, and not had from here.
      if (fileUrl(dist['tarball'], url) !== undefined && digestOfDist(dist) !== undefined) dist['tarball'] = `${base}${name}/-/${encodeURIComponent(file)}`
    }
    return Buffer.from(JSON.stringify(document))
  },
}

function parse(bytes: Buffer, name: string): Record<string, unknown> {
  const document: unknown = JSON.parse(bytes.toString('utf8'))
  if (!isRecord(document) || !isRecord(document['versions'])) throw new TypeError('it is no document of a package')
  if (document['name'] !== name) throw new TypeError(`it is the document of ${shown(document['name'])}`)
  return document
}

function versionsOf({ versions }: Record<string, unknown>, name: string): { readonly file: string; readonly dist: Record<string, unknown> }[] {
  const plain = name.slice(name.indexOf('/') + 1)
  return Object.entries(versions as Record<string, unknown>).flatMap(([version, one]) => {
    const dist = isRecord(one) ? one['dist'] : undefined
    return isRecord(dist) ? [{ file: `${plain}-${version}.tgz`, dist }] : []
  })
}

/** The strongest of `integrity` (https://www.w3.org/TR/SRI/); old documents have a SHA-1 alone. */
function digestOfDist({ integrity, shasum }: Record<string, unknown>): Digest | undefined {
  const given = typeof integrity === 'string' ? integrity.split(/\s+/) : []
  for (const algorithm of ['sha512', 'sha384', 'sha256']) {
    const base64 = given.find(one => one.startsWith(`${algorithm}-`))?.slice(algorithm.length + 1).replace(/\?.*$/, '')
    const digest = base64 === undefined ? undefined : digestOf(algorithm, Buffer.from(base64, 'base64').toString('hex'))
    if (digest !== undefined) return digest
  }
  return digestOf('sha1', shasum)
}

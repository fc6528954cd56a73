import { digestOf, fileUrl, isRecord, shown } from './registry-index.ts'
import type { Digest, IndexedFile, RegistryKind } from './registry-index.ts'

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json'
const FORMS = [`${JSON_TYPE}, text/html;q=0.1`] as const
const FILE = /^[A-Za-z0-9][A-Za-z0-9._+!~-]*$/
const METADATA = '.metadata'
/** Of files in an index, of tags in a page, and of attributes of one of them. The largest project has some ten thousand files. */
const MOST = { files: 500_000, tags: 1_000_000, attributes: 50 } as const
/** What a page asks people with, as one to sign in at. */
const ASKING = ['form', 'input', 'script']

/** A distribution as a simple index names it. */
interface Distribution {
  readonly filename: string
  readonly url: string
  readonly digest: Digest
  readonly bytes: number | undefined
  readonly requiresPython: string | undefined
  /** The reason, which may be empty; undefined: it was not yanked. */
  readonly yanked: string | undefined
  /** Of the file beside it with its metadata. */
  readonly metadata: Digest | undefined
}

/**
 * A simple index of Python packages, as HTML or JSON: `simple/PROJECT/`, and files as `files/PROJECT/FILE`, wherever the
 * upstream has them.
 *
 * Source: https://packaging.python.org/en/latest/specifications/simple-repository-api/
 */
export const pythonIndex: RegistryKind = {
  forms: FORMS,
  paths: 'simple/PROJECT/ and files/PROJECT/FILE',
  route(path) {
    const { room = '', project = '', file } = /^(?<room>simple|files)\/(?<project>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\/(?<file>[^/]+)?)?$/.exec(path)?.groups ?? {}
    const name = normal(project)
    if (room === 'simple' && file === undefined && name !== '') return { kind: 'index', name }
    return room === 'files' && file !== undefined && name !== '' ? { kind: 'file', name, file } : undefined
  },
  offer: accept => ({ contentType: accept.includes(JSON_TYPE) ? JSON_TYPE : 'text/html; charset=utf-8', form: FORMS[0] }),
  path: name => `${name}/`,
  read(bytes, name, url) {
    const files = new Map<string, IndexedFile>()
    for (const { filename, url: at, digest, bytes: size, metadata } of distributions(bytes, name, url)) {
      files.set(filename, { url: at, digest, bytes: size })
      if (metadata !== undefined) files.set(`${filename}${METADATA}`, { url: `${at}${METADATA}`, digest: metadata, bytes: undefined })
    }
    return { files }
  },
  write(bytes, name, { base, url, contentType }) {
    const path = new URL(base).pathname
    const all = distributions(bytes, name, url).map(one => ({ ...one, url: `${path}files/${name}/${encodeURIComponent(one.filename)}` }))
    return Buffer.from(contentType === JSON_TYPE ? `${JSON.stringify({ meta: { 'api-version': '1.0' }, name, files: all.map(toJson) })}\n` : toHtml(name, all))
  },
}

/** `Flask_Login` and `flask-login` are one project. */
function normal(project: string): string {
  return project.toLowerCase().replaceAll(/[-_.]+/g, '-')
}

/** Those that the index vouches for by a SHA-2. */
function distributions(bytes: Buffer, name: string, url: string): Distribution[] {
  const text = bytes.toString('utf8')
  return /^\s*\{/.test(text) ? fromJson(text, name, url) : fromHtml(text, url)
}

function fromJson(text: string, name: string, index: string): Distribution[] {
  const document: unknown = JSON.parse(text)
  if (!isRecord(document) || !Array.isArray(document['files'])) throw new TypeError('it is no index of a project')
  const version = isRecord(document['meta']) ? document['meta']['api-version'] : undefined
  if (typeof version !== 'string' || !version.startsWith('1.')) throw new TypeError(`it is an index of version ${shown(version)}, and 1 is what is known`)
  if (typeof document['name'] === 'string' && normal(document['name']) !== name) throw new TypeError(`it is the index of ${shown(document['name'])}`)
  if (document['files'].length > MOST.files) throw new TypeError('it has too many files')
  return document['files'].filter(isRecord).flatMap(one => {
    const [filename, url, digest] = [one['filename'], fileUrl(one['url'], index), strongest(one['hashes'])]
    if (typeof filename !== 'string' || !FILE.test(filename) || url === undefined || digest === undefined) return []
    const { size, yanked } = one
    return [{
      filename, url, digest,
      bytes: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined,
      requiresPython: typeof one['requires-python'] === 'string' ? one['requires-python'] : undefined,
      // An empty reason is none, and says that it was not yanked.
      yanked: yanked === true ? '' : typeof yanked === 'string' && yanked !== '' ? yanked : undefined,
      metadata: strongest(one['core-metadata']) ?? strongest(one['dist-info-metadata']),
    }]
  })
}

function strongest(hashes: unknown): Digest | undefined {
  if (!isRecord(hashes)) return undefined
  // The store names what it has by its SHA-256.
  return digestOf('sha256', hashes['sha256']) ?? digestOf('sha512', hashes['sha512']) ?? digestOf('sha384', hashes['sha384'])
}

function fromHtml(text: string, index: string): Distribution[] {
  const anchors: { readonly given: ReadonlyMap<string, string>; readonly href: string; readonly words: string; readonly digest: Digest }[] = []
  const names = new Set<string>()
  let base: string | undefined
  let tags = 0
  for (const { name, inside, words } of tagsOf(text)) {
    tags += 1
    if (tags > MOST.tags) throw new TypeError('it has too many tags')
    if (name === 'base') base ??= attributes(inside).get('href')
    if (name !== 'a') {
      if (['html', 'body', '!doctype', ...ASKING].includes(name)) names.add(name)
      continue
    }
    names.add(name)
    const given = attributes(inside)
    const href = given.get('href') ?? ''
    const digest = fragmentDigest(href.slice(href.indexOf('#') + 1))
    if (digest !== undefined) anchors.push({ given, href, words, digest })
  }
  // Whoever signs in gets to the index, perhaps; one that is empty asks nothing.
  if (names.size === 0 || (anchors.length === 0 && ASKING.some(one => names.has(one)))) throw new TypeError('it is no index of a project')
  const from = base !== undefined && URL.canParse(base, index) ? new URL(base, index).href : index
  return anchors.flatMap(({ given, href, words, digest }) => {
    const url = fileUrl(href, from)
    // The words are to be the same, and are not everywhere: pip goes by the URL.
    const filename = url === undefined ? '' : [last(url), decode(words).trim()].find(one => FILE.test(one)) ?? ''
    if (url === undefined || filename === '') return []
    return [{
      filename, url, digest, bytes: undefined,
      requiresPython: given.get('data-requires-python'), yanked: given.get('data-yanked'),
      metadata: fragmentDigest(given.get('data-core-metadata') ?? '') ?? fragmentDigest(given.get('data-dist-info-metadata') ?? ''),
    }]
  })
}

interface Tag {
  readonly name: string
  /** Its attributes, as they stand there. */
  readonly inside: string
  /** Until the next tag, as they stand there. */
  readonly words: string
}

/** Every tag that begins something. A page that ends within one has no more of them: so this takes no longer than the page is long. */
function* tagsOf(page: string): Generator<Tag> {
  const tag = /<([/!]?[a-z][a-z0-9]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/iy
  for (let at = page.indexOf('<'); at !== -1; at = page.indexOf('<', at)) {
    if (page.startsWith('<!--', at)) {
      at = page.indexOf('-->', at + 4)
      if (at === -1) return
      continue
    }
    tag.lastIndex = at
    const found = tag.exec(page)
    if (found === null) {
      if (/[a-z/!]/i.test(page.charAt(at + 1))) return
      at += 1
      continue
    }
    at = tag.lastIndex
    const next = page.indexOf('<', at)
    const [, name = '', inside = ''] = found
    if (!name.startsWith('/')) yield { name: name.toLowerCase(), inside, words: page.slice(at, next === -1 ? undefined : next) }
  }
}

/** `sha256=…`, alone or among others. */
function fragmentDigest(text: string): Digest | undefined {
  return strongest(Object.fromEntries(text.split('&').map(one => one.split('=', 2))))
}

function last(url: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '')
  } catch {
    // A malformed escape is no name.
    return ''
  }
}

function attributes(text: string): Map<string, string> {
  const found = new Map<string, string>()
  let count = 0
  for (const [, name = '', double, single, bare] of text.matchAll(/([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    count += 1
    if (count > MOST.attributes) break
    // Of two with one name the first counts.
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), decode(double ?? single ?? bare ?? ''))
  }
  return found
}

const ENTITIES: ReadonlyMap<string, string> = new Map([['amp', '&'], ['lt', '<'], ['gt', '>'], ['quot', '"'], ['apos', "'"]])

function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));/gi, (whole, decimal: string | undefined, hex: string | undefined, name: string | undefined) => {
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    if (name !== undefined) return ENTITIES.get(name.toLowerCase()) ?? whole
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole
  })
}

function encode(text: string): string {
  return text.replaceAll(/[&<>"']/g, one => `&#${String(one.charCodeAt(0))};`)
}

function toJson({ filename, url, digest, bytes, requiresPython, yanked, metadata }: Distribution): unknown {
  const beside = metadata === undefined ? undefined : { [metadata.algorithm]: metadata.hex }
  return {
    filename, url, hashes: { [digest.algorithm]: digest.hex }, 'requires-python': requiresPython, size: bytes,
    yanked: yanked === undefined ? false : yanked === '' ? true : yanked, 'core-metadata': beside, 'dist-info-metadata': beside,
  }
}

function toHtml(name: string, all: readonly Distribution[]): string {
  const lines = all.map(({ filename, url, digest, requiresPython, yanked, metadata }) => {
    const beside = metadata === undefined ? '' : ['data-core-metadata', 'data-dist-info-metadata'].map(one => ` ${one}="${metadata.algorithm}=${metadata.hex}"`).join('')
    const more = `${requiresPython === undefined ? '' : ` data-requires-python="${encode(requiresPython)}"`}${yanked === undefined ? '' : ` data-yanked="${encode(yanked)}"`}${beside}`
    return `<a href="${url}#${digest.algorithm}=${digest.hex}"${more}>${encode(filename)}</a><br>\n`
  })
  return `<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.0"><title>${name}</title></head><body>\n${lines.join('')}</body></html>\n`
}

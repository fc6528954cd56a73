import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatAptSources, readHostAptSources, sourcesForSuite } from '../../../agent/stage/apt-sources.ts'

async function readFolder(files: Readonly<Record<string, string>>): ReturnType<typeof readHostAptSources> {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-apt-'))
  try {
    await mkdir(join(folder, 'sources.list.d'))
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    return await readHostAptSources(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const DEBIAN = `Types: deb
URIs: http://mirror.example.com/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb deb-src
URIs: http://mirror.example.com/security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian.gpg
`

test('deb822 and one-line sources are read in the order of apt', async () => {
  const sources = await readFolder({
    'sources.list': '# old\ndeb [arch=amd64 signed-by=/k.gpg trusted=yes] http://a.example.com/debian bookworm main contrib # why\ndeb-src http://a.example.com/debian bookworm main\n',
    'sources.list.d/z.list': 'deb http://z.example.com/x trixie main\n',
    'sources.list.d/debian.sources': DEBIAN,
    'sources.list.d/off.sources': 'Enabled: no\nTypes: deb\nURIs: http://off.example.com\nSuites: bookworm\nComponents: main\n',
    'sources.list.d/source-only.sources': 'Types: deb-src\nURIs: http://src.example.com\nSuites: bookworm\nComponents: main\n',
    'sources.list.d/saved.list.disabled': 'deb http://no.example.com bookworm main\n',
  })
  expect(sources).toEqual([
    { uris: ['http://a.example.com/debian'], suites: ['bookworm'], components: ['main', 'contrib'], options: { 'Signed-By': '/k.gpg', Trusted: 'yes' } },
    { uris: ['http://mirror.example.com/debian'], suites: ['bookworm', 'bookworm-updates', 'bookworm-backports'], components: ['main', 'contrib'], options: { 'Signed-By': '/usr/share/keyrings/debian.gpg' } },
    { uris: ['http://mirror.example.com/security'], suites: ['bookworm-security'], components: ['main'], options: { 'Signed-By': '/usr/share/keyrings/debian.gpg' } },
    { uris: ['http://z.example.com/x'], suites: ['trixie'], components: ['main'], options: {} },
  ])
})

test('a suite gets its updates and security fixes and nothing of other suites or vendors', async () => {
  const sources = await readFolder({
    'sources.list.d/debian.sources': DEBIAN,
    'sources.list.d/vendor.list': 'deb http://vendor.example.com/apt bookworm stable\ndeb http://vendor.example.com/x vendor-bookworm main\n',
  })
  expect(sourcesForSuite(sources, 'bookworm').map(source => [source.uris, source.suites])).toEqual([
    [['http://mirror.example.com/debian'], ['bookworm', 'bookworm-updates']],
    [['http://mirror.example.com/security'], ['bookworm-security']],
  ])
})

test('the mirror of a machine with another release is asked for the suite', async () => {
  const sources = await readFolder({ 'sources.list.d/debian.sources': DEBIAN })
  expect(sourcesForSuite(sources, 'trixie').map(source => source.suites)).toEqual([['trixie', 'trixie-updates'], ['trixie-security']])
})

test('a machine without a Debian mirror is told so', () => {
  const ubuntu = [{ uris: ['http://archive.example.com/ubuntu'], suites: ['noble'], components: ['main'], options: {} }]
  expect(() => sourcesForSuite(ubuntu, 'bookworm')).toThrow(expect.objectContaining({ code: 'APT_NO_SOURCE', data: { suite: 'bookworm' } }))
  expect(() => sourcesForSuite([], 'bookworm')).toThrow(expect.objectContaining({ code: 'APT_NO_SOURCE' }))
})

test('sources are written as deb822, also with a key inside', () => {
  const text = formatAptSources([{ uris: ['http://a.example.com'], suites: ['s', 's-updates'], components: ['main'], options: { 'Signed-By': '\n-----BEGIN\n\nabc' } }])
  expect(text).toBe('Types: deb\nURIs: http://a.example.com\nSuites: s s-updates\nComponents: main\nSigned-By: \n -----BEGIN\n .\n abc\n')
})

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BuildError, BuildSource } from '../../../agent/build/build-source.ts'
import { buildPackages, readBuild } from '../../../agent/build/build.ts'
import { packagesOfBuilder } from '../../../agent/build/builders.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { carryOutHere } from '../../../agent/stager/carry-out.ts'
import { BUILDERS } from '../../../schemas/documents/rule.ts'
import type { BuildDocument, Builder } from '../../../schemas/documents/rule.ts'

/** One system that has what all builders need, so that only the builds differ. */
let folder = ''
let store: Store
let root: ObjectHash
const signal = AbortSignal.timeout(900_000)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-builders-'))
  store = await openStore(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store'))
  const packages = [...new Set([...BUILDERS.flatMap(packagesOfBuilder), 'debhelper', 'zlib1g-dev'])].toSorted()
  const source = { name: 'debian-bookworm', upstream: 'system', suites: ['bookworm'], components: ['main'], architectures: [], keys: null, at: null } as const
  const result = await carryOutHere(store, { upstreamProxy: null })({ kind: 'rootfs', os: { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' }, flavour: 'container', packages, sources: [source] }, { signal, onProgress: () => undefined })
  if (result.kind !== 'rootfs') throw new Error('no root filesystem')
  root = result.archive as ObjectHash
}, 900_000)
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Builds a tree of files. @returns what `dpkg-deb` says of the package: its fields, and its files. */
async function built(builder: Builder, files: Readonly<Record<string, string>>, more: Partial<BuildDocument> = {}, told: string[] = []): Promise<{ readonly field: (name: string) => string; readonly files: readonly string[] }> {
  const tree = mkdtempSync(join(folder, `${builder}-`))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), text, { mode: path.endsWith('rules') ? 0o755 : 0o644 })
  }
  const source: BuildSource = { name: 'app', upstreams: [], ref: 'main', patches: [], submodules: {}, build: { with: builder, packages: ['app'], ...more }, at: 'sources.yaml:1:1' }
  const { packages } = await readBuild(store, await buildPackages(source, { tree, commit: 'ab'.repeat(20), time: 1_772_366_400, tag: '1.0', count: 1 }, { root, release: '12', store, signal, onProgress: message => void told.push(message) }))
  const [one] = packages
  if (one === undefined || packages.length !== 1) throw new Error(`${String(packages.length)} packages`)
  const deb = store.path(one.hash)
  return {
    field: name => execFileSync('dpkg-deb', ['--field', deb, name], { encoding: 'utf8' }).trim(),
    files: execFileSync('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -t', 'sh', deb], { encoding: 'utf8' }).split('\n').map(line => line.replace(/^\./, '')).filter(line => line !== '' && !line.endsWith('/')).toSorted(),
  }
}

const MAIN = '#include <zlib.h>\n#include <stdio.h>\nint main(void) { puts(zlibVersion()); return 0; }\n'

test('autotools: configure is made when it is not there, and settings are configuration', async () => {
  const { field, files } = await built('autotools', {
    'configure.ac': 'AC_INIT([app], [1.0])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\nAC_CHECK_LIB([z], [zlibVersion])\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n',
    'Makefile.am': 'bin_PROGRAMS = app\napp_SOURCES = app.c\nsysconf_DATA = app.conf\n', 'app.c': MAIN, 'app.conf': 'a\n',
  })
  expect([field('Depends'), field('Architecture'), field('Version')]).toEqual([expect.stringMatching(/libc6 .*zlib1g/), 'amd64', '1.0+git20260301120000.1.abababa-1~crowbar12'])
  expect(files).toEqual(['/etc/app.conf', '/usr/bin/app'])
})

test('cmake: a library and its program, which need nothing of each other from elsewhere', async () => {
  const { field, files } = await built('cmake', {
    'CMakeLists.txt': 'cmake_minimum_required(VERSION 3.10)\nproject(app C)\nadd_library(said SHARED said.c)\nset_target_properties(said PROPERTIES SOVERSION 1 VERSION 1.2)\nadd_executable(app app.c)\ntarget_link_libraries(app said)\ninclude(GNUInstallDirs)\ninstall(TARGETS app said)\n',
    'said.c': 'const char *said(void) { return "hello"; }\n', 'app.c': '#include <stdio.h>\nconst char *said(void);\nint main(void) { puts(said()); return 0; }\n',
  })
  expect(field('Depends')).toMatch(/^libc6 \(>= [\d.]+\)$/)
  expect(files.filter(path => !path.startsWith('/usr/lib/'))).toEqual(['/usr/bin/app'])
  expect(files.filter(path => path.startsWith('/usr/lib/')).map(path => path.replace(/^.*\//, ''))).toEqual(['libsaid.so', 'libsaid.so.1', 'libsaid.so.1.2'])
})

test('python: what a project requires has Debian’s names, markers are heeded', async () => {
  const { field, files } = await built('python', {
    'pyproject.toml': '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "app"\nversion = "1.0"\ndependencies = ["PyYAML>=5", "python-dateutil", "requests ; python_version < \'3\'"]\n[project.scripts]\napp = "app:main"\n[tool.setuptools]\npy-modules = ["app"]\n',
    'app.py': 'def main():\n    print(1)\n',
  })
  expect([field('Depends'), field('Architecture')]).toEqual(['python3, python3-dateutil, python3-yaml (>= 5)', 'all'])
  expect(files).toContain('/usr/lib/python3/dist-packages/app.py')
  expect(files).toContain('/usr/bin/app')
})

test('node: files that package.json names, its programs, its dependencies', async () => {
  const { field, files } = await built('node', {
    'package.json': JSON.stringify({ name: '@house/app', version: '1.0.0', bin: { app: 'bin/app.js' }, files: ['lib/'], main: 'lib/main.js', dependencies: { '@types/node': '*', ws: '^8' }, scripts: { build: 'echo "exports.a = 1" > lib/made.js' } }),
    'bin/app.js': '#!/usr/bin/env node\n', 'lib/main.js': '', 'test/no.js': '', 'node_modules/x/index.js': '',
  })
  expect(field('Depends')).toBe('node-types-node, node-ws (<< 9~) | node-ws (>= 1:0), node-ws (>= 8), nodejs')
  expect(files).toEqual(['/usr/bin/app', '/usr/share/nodejs/@house/app/bin/app.js', '/usr/share/nodejs/@house/app/lib/made.js', '/usr/share/nodejs/@house/app/lib/main.js', '/usr/share/nodejs/@house/app/node_modules/@types/node', '/usr/share/nodejs/@house/app/node_modules/ws', '/usr/share/nodejs/@house/app/package.json'])
})

test('debian: as its own directory says, with a version for the commit', async () => {
  const { field, files } = await built('debian', {
    'debian/control': 'Source: app\nMaintainer: a <a@example.com>\nBuild-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\n\nPackage: app\nArchitecture: any\nDepends: ${shlibs:Depends}, adduser\nDescription: an app\n of ours\n',
    'debian/changelog': 'app (2:1.4-3) unstable; urgency=medium\n\n  * Ours.\n\n -- a <a@example.com>  Sun, 01 Feb 2026 12:00:00 +0000\n', 'debian/rules': '#!/usr/bin/make -f\n%:\n\tdh $@\n', 'debian/source/format': '3.0 (quilt)\n',
    'Makefile': 'app: app.c\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -lz\ninstall: app\n\tinstall -D app $(DESTDIR)/usr/bin/app\n', 'app.c': MAIN,
  })
  expect(field('Version')).toBe('2:1.4-3+git20260301120000.1.abababa.1~crowbar12')
  expect(field('Depends')).toMatch(/^libc6 .*, zlib1g .*, adduser$/)
  expect(files).toContain('/usr/bin/app')
})

test.each([
  ['into /usr/local', 'all:\ninstall:\n\tinstall -D Makefile $(DESTDIR)/usr/local/share/x\n', /heed PREFIX/],
  ['nothing', 'all:\ninstall:\n', /installed no file/],
  ['from the network', 'all:\n\tpython3 -c "import socket; socket.create_connection((\'192.0.2.1\', 80), 3)"\n', /unreachable/],
  ['as root', 'all:\n\ttouch /usr/bin/x\n', /Permission denied/],
])('make: a build that installs %s fails and says so', async (_what, makefile, said) => {
  await expect(built('make', { Makefile: makefile })).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringMatching(said) as string })
})

test.each([
  ['memory', { memory: '256MiB' }, 'python3 -c "x = bytearray(600 << 20); import time; time.sleep(20)"', /(failed, and may have needed|was stopped: it used) more than 256 MiB of memory/],
  ['memory by many processes', { memory: '256MiB' }, 'for i in 1 2 3 4 5 6; do python3 -c "x = bytearray(100 << 20); import time; time.sleep(20)" & done; wait', /was stopped: it used more than 256 MiB of memory.*build\.limits/s],
  ['processes', { processes: 32 }, 'for i in $$(seq 64); do sleep 20 & done; wait', /more than 32 processes and threads/],
  ['disk', { disk: '64MiB' }, 'for i in $$(seq 8); do head -c 16M /dev/urandom > /tmp/$$i; done; sleep 20', /was stopped: it wrote more than 64 MiB/],
  ['a file', { disk: '64MiB' }, 'head -c 100M /dev/zero > x', /failed, and may have written a file of more than 64 MiB/],
])('a build that uses more %s than it may is stopped and says so, and its log is kept', async (_what, limits, command, said) => {
  const error = await built('make', { Makefile: `all:\n\techo begun\n\t${command}\n` }, { limits }).then(() => undefined, (thrown: unknown) => thrown as BuildError)
  expect(error).toMatchObject({ code: 'BUILD_FAILED', message: expect.stringMatching(said) as string })
  const kept = await store.resolve('build-log/app')
  expect(error?.message).toContain(store.path(kept as ObjectHash))
  expect((await store.read(kept as ObjectHash)).toString()).toContain('==> make\necho begun\nbegun\n')
})

test('what a build does is told step by step, and a log of a failure goes with the next success', async () => {
  const told: string[] = []
  await built('make', { Makefile: 'all:\ninstall:\n\tinstall -D Makefile $(DESTDIR)/usr/share/x\n' }, {}, told)
  expect(told.filter(line => !/: \d+ s, \d+ lines: /.test(line))).toEqual(['building app: unpacking its system', 'building app: make', 'building app: make install', 'building app: pack the package'])
  expect(await store.resolve('build-log/app')).toBeUndefined()
})

test('a build that does not end is stopped', async () => {
  await expect(built('make', { Makefile: 'all:\n\tsleep 600\n' }, { timeout: '3s' })).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.stringMatching(/did not end within 3s/) as string })
})

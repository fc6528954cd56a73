import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'
import type { Texts } from '../compiling.ts'
import { crowbarHere } from './in-process.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-barclamp-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(texts: Texts): string {
  for (const [path, text] of Object.entries(texts)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 })
  }
  return folder
}

describe('barclamp new', () => {
  test.each(['notes', 'my_notes'])('%s works at once: its cases pass and lint finds nothing', async (name) => {
    const dir = join(folder, name)
    expect((await crowbarHere(['barclamp', 'new', name, '--dir', dir])).status).toBe(0)
    const tested = await crowbarHere(['barclamp', 'test', dir])
    expect([tested.status, tested.stdout.match(/^ok /gm)?.length]).toEqual([0, 2])
    expect(await crowbarHere(['barclamp', 'lint', dir])).toMatchObject({ status: 0, stdout: '' })
    expect(statSync(join(dir, 'run.sh')).mode & 0o777).toBe(0o755)
  })

  test('writes over nothing, and knows a name', async () => {
    write({ 'x/file': 'mine' })
    expect((await crowbarHere(['barclamp', 'new', 'x', '--dir', join(folder, 'x')])).status).toBe(1)
    expect(readdirSync(join(folder, 'x'))).toEqual(['file'])
    expect((await crowbarHere(['barclamp', 'new', '../x'])).status).toBe(64)
  })
})

test('docs/barclamps.md does what it says', async () => {
  const text = readFileSync(new URL('../../../docs/barclamps.md', import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/```(?:yaml|sh)\n((?:#!.*\n)?# ([\w./-]+\.(?:yaml|sh))[\s\S]*?)```/g)]
  expect(blocks.map(([, , path]) => path)).toEqual(['barclamp.yaml', 'server.sh', 'client.sh', 'remove.sh', 'tests/default.yaml'])
  write(Object.fromEntries(blocks.map(([, block = '', path = '']) => [`notes/${path}`, block])))
  const tested = await crowbarHere(['barclamp', 'test', join(folder, 'notes')])
  expect([tested.status, tested.stdout.match(/^ok /gm)?.length]).toEqual([0, 2])
  expect((await crowbarHere(['barclamp', 'lint', join(folder, 'notes')])).stdout).toBe('')
  const packed = await crowbarHere(['barclamp', 'package', join(folder, 'notes'), '--out', join(folder, 'dist')])
  for (const name of packed.stdout.trim().split('\n')) expect(text).toContain(`\`${name.slice(join(folder, 'dist').length + 1)}\``)
})

describe('barclamp lint', () => {
  const lint = async (...dirs: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await crowbarHere(['barclamp', 'lint', '--format', 'json', ...(dirs.length === 0 ? [folder] : dirs)])
    return (JSON.parse(stdout) as Diagnostic[]).map(({ code, range }) => `${code} ${range?.path.slice(folder.length + 1)}:${range?.start.line}:${range?.start.column}`)
  }

  test('finds what is wrong and what will puzzle', async () => {
    write({
      'barclamp.yaml': `kind: barclamp
name: b
version: 1.0.0
requires: ["ntp ~1"]
attributes:
  type: object
  properties:
    port: { type: integer, default: eighty, description: d }
    dark: { type: string, default: "\${wants.nobody}" }
osAttributes:
  debain: { port: 81 }
  debian: { port: [] }
roles:
  r:
    description: d
    jig: script
    run: run.sh
    check: gone.sh
    os: [debian-99]
    wants: { w: { attribute: dns.zone } }
    provides: { p: { type: string, value: "\${wants.x + attributes.port" }, q: { type: string, value: "\${wants.x}" } }
    packages: { debian-12: [a] }
    conflicts: [r]
  s: { flags: [destructive, service], retries: { max: 2 }, provides: { late: { type: string } } }
`,
      'run.sh': 'cat ./used/one\n',
      'used/one': '',
      'unused': '',
      'README.md': '',
    })
    expect(await lint()).toEqual([
      'VALUE_INVALID barclamp.yaml:4:12',
      'LINT_SCHEMA_OPEN barclamp.yaml:5:1',
      'LINT_DEFAULT barclamp.yaml:8:37',
      'LINT_DESCRIPTION barclamp.yaml:9:5',
      'LINT_UNDECLARED barclamp.yaml:9:36',
      'LINT_OS_UNKNOWN barclamp.yaml:11:3',
      'LINT_DEFAULT barclamp.yaml:12:19',
      'ENTRY_MISSING barclamp.yaml:18:12',
      'LINT_OS_UNKNOWN barclamp.yaml:19:10',
      'LINT_ROLE barclamp.yaml:20:30',
      'EXPRESSION_INVALID barclamp.yaml:21:44',
      'LINT_UNDECLARED barclamp.yaml:21:102',
      'LINT_ROLE barclamp.yaml:23:17',
      'LINT_DESCRIPTION barclamp.yaml:24:3',
      'LINT_ROLE barclamp.yaml:24:48',
      'LINT_ROLE barclamp.yaml:24:78',
      'LINT_TESTS barclamp.yaml:2:7',
      'LINT_SCRIPT run.sh:1:1',
      'LINT_SCRIPT run.sh:1:1',
      'LINT_FILE_UNUSED unused:1:1',
    ].toSorted((a, b) => place(a) - place(b)))
  })

  test('looks at every barclamp below a folder, and says so when there is none', async () => {
    const one = 'kind: barclamp\nname: NAME\nversion: 1.0.0\n'
    write({ 'all/a/barclamp.yaml': one.replace('NAME', 'a'), 'all/a/tests/barclamp.yaml': 'no: barclamp\n', 'all/b/barclamp.yaml': one.replace('NAME', 'B') })
    expect(await lint(join(folder, 'all'))).toEqual(['VALUE_INVALID all/b/barclamp.yaml:2:7'])
    write({ 'empty/barclamp.yaml': '# nothing\n' })
    expect(await lint(join(folder, 'empty'))).toEqual(['KIND_MISSING empty/barclamp.yaml:1:1'])
    write({ 'none/x': '' })
    expect(await lint(join(folder, 'none'), join(folder, 'nowhere'))).toEqual(['FILE_UNREADABLE none/barclamp.yaml:1:1', 'FOLDER_UNREADABLE nowhere:1:1'])
  })
})

/** Sorted as diagnostics are: by path, then by line and column. */
function place(text: string): number {
  const [, path = '', line = '0', column = '0'] = /^\S+ (\S+):(\d+):(\d+)$/.exec(text) ?? []
  return ['barclamp.yaml', 'run.sh', 'unused'].indexOf(path) * 1_000_000 + Number(line) * 1000 + Number(column)
}

describe('barclamp test', () => {
  const BARCLAMP = `kind: barclamp
name: b
version: 1.0.0
attributes: { type: object, additionalProperties: false, properties: { size: { type: integer, default: 1 }, list: { type: array, default: [1, 2] } } }
roles:
  server: { provides: { token: { type: string }, name: { type: string, value: "\${node.name}" } }, actsAs: [store], count: { max: 1 } }
  client: { wants: { token: { from: server, provide: token }, name: { from: server, provide: name } }, requires: [helper] }
`
  const run = async (cases: string, more: Texts = {}) => {
    write({ 'b/barclamp.yaml': BARCLAMP, 'helper/barclamp.yaml': 'kind: barclamp\nname: helper\nversion: 1.0.0\nroles: { helper: { flags: [implicit] } }\n', 'b/tests/one.yaml': cases, ...more })
    return crowbarHere(['barclamp', 'test', join(folder, 'b')])
  }
  const CASE = 'barclamps: [../helper]\nnodes: { n1: { facts: { memory: { bytes: 7 } }, attributes: { b: { size: "${node.facts.memory.bytes}" } } }, n2: {} }\nroles: { server: { nodes: [n1] }, client: { nodes: [n2] } }\n'

  test('a case passes when documents, order and absences are as it says', async () => {
    const ran = await run(`${CASE}expect:
  documents:
    server@n1: { b: { size: 7, list: [1, 2] } }
    test/client@n2: { wants: { name: n1, token: { deferred: { inputs: { wants.token: { step: test/server@n1 } } } } } }
  order: [install@n1, server@n1, client@n2]
  absent: [helper@n1]
`)
    expect(ran.stdout).toBe(`ok    ${folder}/b/tests/one.yaml: one\n`)
    expect(ran.status).toBe(0)
  })

  test('a case fails with a line for each thing that is not as it says', async () => {
    const ran = await run(`name: wrong\n${CASE}expect:
  documents: { server@n1: { b: { size: 8, list: [1], more: 1 } }, servr@n1: {} }
  order: [client@n2, server@n1]
  absent: [helper@n2]
  diagnostics: [ROLE_COUNT]
`)
    expect(ran.status).toBe(1)
    expect(ran.stdout.split('\n')).toEqual([
      `FAIL  ${folder}/b/tests/one.yaml: wrong`,
      '        ROLE_COUNT is not reported',
      '        server@n1 b.size: expected 8, is 7',
      '        server@n1 b.list: expected [1], is [1,2]',
      '        server@n1 b.more: expected 1, and there is nothing',
      '        there is no step servr@n1; did you mean server@n1?',
      '        server@n1 comes before client@n2',
      '        there is a step helper@n2',
      '',
    ])
    expect(ran.stderr).toBe('1 case, 1 failed\n')
  })

  test('expected problems pass; others fail, with their place in the barclamp', async () => {
    const ran = await run('name: two servers\nnodes: { n1: {}, n2: {} }\nroles: { server: { nodes: [n1, n2] } }\nexpect: { diagnostics: [ROLE_COUNT, REFERENCE_UNKNOWN] }\n---\nname: alone\nroles: { server: { nodes: [n1] } }\nexpect: {}\n')
    expect(ran.stdout.split('\n').slice(0, 4)).toEqual([
      `FAIL  ${folder}/b/tests/one.yaml: two servers`,
      '        ROLE_COUNT is not reported',
      `FAIL  ${folder}/b/tests/one.yaml: alone`,
      `        REFERENCE_UNKNOWN is reported: There is no role helper. (${folder}/b/barclamp.yaml:7:115)`,
    ])
  })

  test('a case has every secret that is wanted, and no other', async () => {
    const roles = 'roles: { server: { nodes: [n1] } }\n'
    const ran = await run(`${roles}expect: { documents: { server@n1: { wants: { password: { value: { deferred: { inputs: { wants.password.value: { secret: b/root } } } }, previous: null } }, b: { key: { deferred: { sensitive: true } } } } } }\nattributes: { b: { key: { secret: any/key } } }\n---\nname: no path\n${roles}attributes: { b: { key: { secret: ../etc/shadow } } }\nexpect: {}\n`, {
      'b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nattributes: { type: object, properties: { key: { type: string } } }\nroles: { server: { wants: { password: { secret: b/root, generate: { length: 8 }, previous: true } } } }\n',
    })
    expect(ran.stdout).toMatch(/^ok {4}\S+: one\nFAIL {2}\S+: no path\n {8}SECRET_UNKNOWN is reported/)
    expect(ran.status).toBe(1)
  })

  test('what cannot be read is no case, and no cases are no success', async () => {
    const ran = await run('roles: {}\nexpct: {}\n')
    expect([ran.status, ran.stdout]).toEqual([1, ''])
    expect(ran.stderr).toContain('error[FIELD_UNKNOWN]')
    expect((await run(`${CASE}expect: {}\n`, { 'helper/barclamp.yaml': 'kind: site\n' })).status).toBe(1)
    rmSync(join(folder, 'b/tests'), { recursive: true })
    expect(await crowbarHere(['barclamp', 'test', join(folder, 'b')])).toMatchObject({ status: 1, stderr: `b has no cases: write one in ${join(folder, 'b/tests')}\n` })
  })
})

describe('barclamp package', () => {
  const LONG = `files/${'long-'.repeat(30)}name`
  const barclamp = (): Texts => ({ 'b/barclamp.yaml': 'kind: barclamp\nname: my_b\nversion: 1.2.0-rc.1\ndescription: What it is\nroles: { r: { jig: script, run: run.sh } }\n', 'b/run.sh': '#!/bin/sh\n', [`b/${LONG}`]: 'ü\n', 'b/.git/config': 'no\n', 'b/run.sh~': 'no\n' })
  const NAMES = ['my_b-1.2.0-rc.1.tar.gz', 'crowbar-barclamp-my-b_1.2.0~rc.1_all.deb', 'crowbar-barclamp-my-b-1.2.0~rc.1-1.noarch.rpm']
  const digestsOf = (dir: string): readonly string[] => NAMES.map((name) => createHash('sha256').update(readFileSync(join(dir, name))).digest('hex'))
  const pack = async (dir: string, out: string) => crowbarHere(['barclamp', 'package', dir, '--out', out])

  test('gives the same bytes at any time, in any place, with any umask, time zone and group rights', async () => {
    write(barclamp())
    const first = await pack(join(folder, 'b'), join(folder, 'one'))
    expect(first.stdout.split('\n').slice(0, 3)).toEqual(NAMES.map((name) => join(folder, 'one', name)))
    cpSync(join(folder, 'b'), join(folder, 'elsewhere/c'), { recursive: true })
    chmodSync(join(folder, 'elsewhere/c/barclamp.yaml'), 0o600)
    chmodSync(join(folder, 'elsewhere/c/run.sh'), 0o777)
    utimesSync(join(folder, 'elsewhere/c/run.sh'), 1, 1)
    const [umask, zone] = [process.umask(0o077), process.env['TZ']]
    process.env['TZ'] = 'Asia/Kathmandu'
    try {
      await pack(join(folder, 'elsewhere/c'), join(folder, 'two'))
    } finally {
      process.umask(umask)
      if (zone === undefined) Reflect.deleteProperty(process.env, 'TZ')
      else process.env['TZ'] = zone
    }
    expect(digestsOf(join(folder, 'two'))).toEqual(digestsOf(join(folder, 'one')))
  })

  test('what was packed into the folder is not packed the next time', async () => {
    write(barclamp())
    const [dir, out] = [join(folder, 'b'), join(folder, 'b/dist')]
    await pack(dir, out)
    const first = digestsOf(out)
    await pack(dir, out)
    expect(digestsOf(out)).toEqual(first)
    await pack(dir, dir)
    await pack(dir, dir)
    expect(readdirSync(dir).filter((name) => /\.(?:deb|rpm|gz)$/.test(name)).length).toBe(3)
  })

  test('the archive holds the barclamp and nothing that is not of it', async () => {
    write(barclamp())
    await pack(join(folder, 'b'), folder)
    const listed = execFileSync('tar', ['tvzf', join(folder, NAMES[0] as string), '--full-time', '--utc'], { encoding: 'utf8' })
    expect(listed.trim().split('\n').map((line) => line.replace(/\s+/g, ' '))).toEqual([
      'drwxr-xr-x root/root 0 1980-01-01 00:00:00 my_b-1.2.0-rc.1/',
      'drwxr-xr-x root/root 0 1980-01-01 00:00:00 my_b-1.2.0-rc.1/files/',
      '-rw-r--r-- root/root 113 1980-01-01 00:00:00 my_b-1.2.0-rc.1/barclamp.yaml',
      `-rw-r--r-- root/root 3 1980-01-01 00:00:00 my_b-1.2.0-rc.1/${LONG}`,
      '-rwxr-xr-x root/root 10 1980-01-01 00:00:00 my_b-1.2.0-rc.1/run.sh',
    ])
  })

  test('dpkg reads and unpacks the .deb', async () => {
    write(barclamp())
    await pack(join(folder, 'b'), folder)
    const deb = join(folder, NAMES[1] as string)
    expect(execFileSync('dpkg-deb', ['--show', '--showformat', '${Package} ${Version} ${Architecture} ${Description}', deb], { encoding: 'utf8' })).toBe('crowbar-barclamp-my-b 1.2.0~rc.1 all What it is')
    execFileSync('dpkg-deb', ['--extract', deb, join(folder, 'root')])
    expect(readFileSync(join(folder, 'root/usr/share/crowbar/barclamps/my_b', LONG), 'utf8')).toBe('ü\n')
    expect(statSync(join(folder, 'root/usr/share/crowbar/barclamps/my_b/run.sh')).mode & 0o777).toBe(0o755)
    execFileSync('dpkg-deb', ['--control', deb, join(folder, 'control')])
    execFileSync('md5sum', ['--check', '--quiet', join(folder, 'control/md5sums')], { cwd: join(folder, 'root') })
  })

  test('the .rpm holds its digests and a cpio archive of the same files', async () => {
    write(barclamp())
    await pack(join(folder, 'b'), folder)
    const rpm = readFileSync(join(folder, NAMES[2] as string))
    expect(rpm.subarray(0, 4).toString('hex')).toBe('edabeedb')
    const signature = readHeader(rpm, 96)
    const main = readHeader(rpm, Math.ceil(signature.end / 8) * 8)
    const digest = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex')
    expect(signature.text(273)).toBe(digest('sha256', rpm.subarray(main.start, main.end)))
    expect(signature.text(269)).toBe(digest('sha1', rpm.subarray(main.start, main.end)))
    expect(signature.bytes(1004, 16).toString('hex')).toBe(digest('md5', rpm.subarray(main.start)))
    expect([main.text(1000), main.text(1001), main.text(1002), main.text(1022)]).toEqual(['crowbar-barclamp-my-b', '1.2.0~rc.1', '1', 'noarch'])
    expect(main.text(5092)).toBe(digest('sha256', rpm.subarray(main.end)))
    writeFileSync(join(folder, 'payload'), gunzipSync(rpm.subarray(main.end)))
    expect(cpioNames(readFileSync(join(folder, 'payload')))).toEqual(['', '/barclamp.yaml', '/files', `/${LONG}`, '/run.sh'].map((path) => `./usr/share/crowbar/barclamps/my_b${path}`))
  })

  test('a barclamp that is wrong is not packed', async () => {
    write({ 'b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: { jig: script, run: gone.sh } }\n' })
    const ran = await pack(join(folder, 'b'), join(folder, 'out'))
    expect([ran.status, ran.stdout]).toEqual([1, ''])
    expect(ran.stderr).toContain('error[ENTRY_MISSING]')
  })
})

/** A header of an RPM package at an offset: magic, numbers of entries and bytes, entries of tag, type, offset and count, data. */
function readHeader(rpm: Buffer, start: number) {
  expect(rpm.subarray(start, start + 4).toString('hex')).toBe('8eade801')
  const [entries, size] = [rpm.readUInt32BE(start + 8), rpm.readUInt32BE(start + 12)]
  const data = start + 16 + 16 * entries
  const offset = (tag: number): number => {
    for (let at = start + 16; at < data; at += 16) if (rpm.readUInt32BE(at) === tag) return data + rpm.readUInt32BE(at + 8)
    throw new Error(`no tag ${tag}`)
  }
  return {
    start,
    end: data + size,
    text: (tag: number): string => rpm.subarray(offset(tag), rpm.indexOf(0, offset(tag))).toString('utf8'),
    bytes: (tag: number, length: number): Buffer => rpm.subarray(offset(tag), offset(tag) + length),
  }
}

/** Names in a cpio archive of the new ASCII format, cpio(5). */
function cpioNames(archive: Buffer): readonly string[] {
  const names: string[] = []
  for (let at = 0; ; ) {
    expect(archive.subarray(at, at + 6).toString('latin1')).toBe('070701')
    const number = (field: number): number => Number.parseInt(archive.subarray(at + 6 + 8 * field, at + 14 + 8 * field).toString('latin1'), 16)
    const name = archive.subarray(at + 110, at + 110 + number(11) - 1).toString('utf8')
    if (name === 'TRAILER!!!') return names
    names.push(name)
    const [nameBytes, bytes] = [number(11), number(6)]
    at = Math.ceil((at + 110 + nameBytes) / 4) * 4
    at = Math.ceil((at + bytes) / 4) * 4
  }
}

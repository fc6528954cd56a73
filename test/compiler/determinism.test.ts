import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isMap, parseAllDocuments, visit } from 'yaml'
import { readTree } from '../../compiler/tree/read.ts'
import type { Tree } from '../../compiler/tree/tree.ts'
import { canonical } from '../../schemas/canonical.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { EXAMPLE_SITES, SITE_EXAMPLES } from '../builders/example-sites.ts'
import { crowbarHere } from './cli/in-process.ts'
import { compileTree, exampleTree, success } from './compiling.ts'
import fc from '../property.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/crowbar', import.meta.url))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-determinism-'))
  execFileSync('chmod', ['0755', folder])
  cpSync(fileURLToPath(SITE_EXAMPLES), join(folder, 'examples'), { recursive: true })
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'all')
  git('clone', '--quiet', '--sparse', '--depth=1', `file://${join(folder, 'examples')}`, join(folder, 'clone'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function git(...args: readonly string[]): string {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com']
  return execFileSync('git', [...identity, ...args], { cwd: join(folder, 'examples'), encoding: 'utf8', env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' }, stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

function planText(tree: Tree): string {
  const { plan } = success(compileTree({ ...tree, files: new Map([...tree.files].filter(([path]) => !path.startsWith('golden/'))) }))
  return canonical(plan as unknown as Json)
}

/** A plan without what names the commit; `id` covers that too. */
function withoutCommit(text: string): string {
  const { id: _id, source, ...plan } = JSON.parse(text) as Plan
  return JSON.stringify({ ...plan, source: { ...source, commit: null } })
}

/** A plan without places, by which warnings are sorted, and without the digest of its files: what is left when a document is only written otherwise. */
function withoutPlaces(text: string): string {
  const { id: _id, source: _source, warnings, ...plan } = JSON.parse(text.replaceAll(/[\w./-]+\.(?:yaml|csv):\d+:\d+/g, '')) as Plan
  return JSON.stringify({ ...plan, warnings: warnings.toSorted() })
}

describe.each(EXAMPLE_SITES)('%s: the same plan, byte for byte', (name) => {
  const tree = exampleTree(name)
  const expected = planText(tree)

  test('in whatever order a folder lists its files', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...tree.files], { minLength: tree.files.size }), (files) => {
        expect(planText({ commit: null, files: new Map(files) })).toBe(expected)
      }),
      { numRuns: 4 },
    )
  })

  test('of a folder, wherever it lies, of a commit, and of a clone that shows none of its files', async () => {
    const at = async (site: string, ref?: string): Promise<string> => planText(await readTree({ site, ref, environment: process.env }, () => {}))
    expect(await at(join(folder, 'examples', name))).toBe(expected)
    const committed = await at(join(folder, 'examples', name), 'main')
    expect(withoutCommit(committed)).toBe(withoutCommit(expected))
    mkdirSync(join(folder, 'clone', name), { recursive: true })
    expect(await at(join(folder, 'clone', name), 'HEAD')).toBe(committed)
  })

  test('with the keys of its documents in another order, but for the places that it names', () => {
    const files = new Map([...tree.files].map(([path, file]) => {
      if (!path.endsWith('.yaml') || path.startsWith('barclamps/')) return [path, file] as const
      const bytes = new TextEncoder().encode(reordered(new TextDecoder().decode(file.bytes())))
      return [path, { ...file, size: bytes.length, bytes: () => bytes }] as const
    }))
    expect(withoutPlaces(planText({ commit: null, files }))).toBe(withoutPlaces(expected))
  })
})

/** YAML with the keys of every map turned round; not of the disks of hardware, which choose in order. */
function reordered(text: string): string {
  return parseAllDocuments(text).map((document) => {
    visit(document, {
      Pair: (_, { key, value }) => {
        if (isMap(value) && String(key) !== 'disks') value.items.reverse()
      },
    })
    if (isMap(document.contents)) document.contents.items.reverse()
    return String(document)
  }).join('---\n')
}

describe('the command line', () => {
  const plan = (site: string, { cwd, env, as = [] }: { readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly as?: readonly string[] }): string => {
    const argv = [...as, LAUNCHER, 'plan', '--format', 'json', '--site', site]
    const { status, stdout, stderr } = spawnSync(argv[0] as string, argv.slice(1), { cwd, encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } })
    if (status !== 0) throw new Error(`${status}: ${stderr}`)
    return stdout
  }
  const readableByOthers = process.getuid?.() === 0 && spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', LAUNCHER, '--version'], { env: { PATH: process.env['PATH'] } }).status === 0

  test.each(['austin', 'wants-across-nodes'])('%s: neither time zone, locale, user, home nor working directory shows', (name) => {
    const site = join(folder, 'examples', name)
    const expected = plan(site, { cwd: site, env: { TZ: 'UTC', LC_ALL: 'C', HOME: folder } })
    expect(plan(`examples/${name}`, { cwd: folder, env: { TZ: 'Pacific/Apia', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', HOME: '/nonexistent', COLUMNS: '40', FORCE_COLOR: '1' } })).toBe(expected)
    if (!readableByOthers) return
    expect(plan(site, { cwd: '/', env: { TZ: 'Asia/Kathmandu' }, as: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] })).toBe(expected)
  })

  test('compiling twice writes the same files', async () => {
    const compiled = async (out: string): Promise<ReadonlyMap<string, string>> => {
      expect((await crowbarHere(['compile', '--site', join(folder, 'examples/first-light'), '--ref', 'main', '--out', out])).status).toBe(0)
      const paths = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
      return new Map(paths.toSorted().map((path) => [path.slice(out.length), readFileSync(path, 'base64')]))
    }
    const first = await compiled(join(folder, 'out-1'))
    expect([...first.keys()]).toContain('/plan.json')
    expect(await compiled(join(folder, 'out-2'))).toEqual(first)
  })
})

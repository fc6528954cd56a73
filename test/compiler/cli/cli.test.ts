import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { changesShape } from '../../../schemas/changes.ts'
import { compilationShape } from '../../../schemas/compilation.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import { writeLedger } from '../../../schemas/ledger-tree.ts'
import type { LedgerNode } from '../../../schemas/ledger.ts'
import { lockShape } from '../../../schemas/lock.ts'
import { planShape } from '../../../schemas/plan.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { crowbarHere } from './in-process.ts'
import { machine } from '../compiling.ts'
import type { Ran } from './in-process.ts'
import { ledgerOfPlan } from '../../../compiler/change/ledger-of-plan.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const LAUNCHER = join(ROOT, 'bin/crowbar')
const EXAMPLE = join(ROOT, 'site-examples/first-light')

let folder: string
let site: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-cli-'))
  site = join(folder, 'site')
  cpSync(EXAMPLE, site, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A process of its own, where that is what is tested. */
function launch(args: readonly string[], options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {}): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(LAUNCHER, args, { encoding: 'utf8', cwd: options.cwd ?? site, env: { PATH: process.env['PATH'], HOME: folder, ...options.env } })
  return { status, stdout, stderr }
}

/** Most commands take --site. */
function crowbar(args: readonly string[]): Promise<Ran> {
  return crowbarHere(args.includes('--site') || args.length === 0 || ['init', 'schema'].includes(args[0] as string) || (args[0] as string).startsWith('-') ? args : [...args, '--site', site])
}

function git(...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: site, encoding: 'utf8' }).trim()
}

function commit(message: string): string {
  if (!existsSync(join(site, '.git'))) git('init', '--quiet', '--initial-branch=main')
  git('add', '-A')
  git('commit', '--quiet', '--allow-empty', '-m', message)
  return git('rev-parse', 'HEAD')
}

function edit(path: string, old: string, text: string): void {
  const before = readFileSync(join(site, path), 'utf8')
  expect(before).toContain(old)
  writeFileSync(join(site, path), before.replace(old, text))
}

/** Puts a ledger on refs/crowbar/applied of the site, as if the plan of HEAD had run. */
async function apply(): Promise<void> {
  const plan = JSON.parse((await crowbar(['plan', '--format', 'json', '--ref', 'HEAD'])).stdout) as Plan
  // No machine is claimed, so nothing but staging could have run; that is enough for a base.
  const { ledger } = ledgerOfPlan(plan)
  const files = writeLedger({ ...ledger, nodes: Object.fromEntries(Object.entries(ledger.nodes).filter(([name]) => name === '_admin')), run: { version: 1, run: 1, commit: git('rev-parse', 'HEAD'), plan: plan.id, state: 'complete', time: '2026-01-02T03:04:05.000Z', epoch: 1, seq: 1 } })
  const stream = ['commit refs/crowbar/applied', 'committer t <t@example.com> 0 +0000', 'data 1', 'x', ...[...files].flatMap(([path, text]) => [`M 100644 inline ${path}`, `data ${Buffer.byteLength(text)}`, text]), 'done', ''].join('\n')
  execFileSync('git', ['fast-import', '--quiet'], { cwd: site, input: stream })
}

describe('usage', () => {
  test.each<[readonly string[], number, string]>([
    [['--version'], 0, ''],
    [['--help'], 0, ''],
    [['plan', '--help'], 0, ''],
    [[], 64, 'Usage: crowbar'],
    [['plann'], 64, 'Did you mean plan?'],
    [['plan', '--fromat', 'json'], 64, 'Did you mean --format?'],
    [['plan', 'extra'], 64, 'too many arguments'],
    [['plan', '--format', 'yaml'], 64, 'formats: text, json'],
    [['explain'], 64, 'missing required argument'],
    [['explain', 'CLAIM_AMBIGIOUS'], 64, 'did you mean CLAIM_AMBIGUOUS?'],
    [['schema', 'netwrok'], 64, 'did you mean network?'],
    [['diff', '--max-bytes', 'many'], 64, '--max-bytes'],
    [['plan', '--site', '/nonexistent/x'], 1, 'there is no such folder'],
    [['plan', '--ref', '--help'], 1, 'GIT_FAILED'],
  ])('%j', async (args, status, said) => {
    const ran = await crowbar(args)
    expect([ran.status, ran.stderr]).toEqual([status, expect.stringContaining(said)])
    if (status !== 0) expect(ran.stdout).toBe('')
  })

  test('every command shows an example', async () => {
    for (const command of ['init', 'validate', 'plan', 'diff', 'explain', 'lock', 'compile', 'schema']) expect((await crowbar([command, '--help'])).stdout).toContain(`\nExample:\n  crowbar ${command}`)
  })

  test('what nobody foresaw is our bug: exit 70, short, the stack only when asked', () => {
    const env = { NODE_OPTIONS: '--import=data:text/javascript,Map.groupBy=Array.prototype.toSorted=()=>{throw(new(RangeError)(%22boom%22))}' }
    const ran = launch(['plan'], { env })
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([70, '', 'crowbar: this is a bug in Crowbar: RangeError: boom\nRun it again with CROWBAR_DEBUG=1 to see where.\n'])
    expect(launch(['plan'], { env: { ...env, CROWBAR_DEBUG: '1' } }).stderr).toContain('    at ')
  })

  test('a place that cannot be written to is not', async () => {
    expect(await crowbar(['plan', '--out', join(folder, 'no', 'such', 'folder')])).toMatchObject({ status: 1, stderr: expect.stringContaining('no such file or directory') })
    expect(await crowbar(['compile', '--ref', 'HEAD', '--out', '/dev/null/x'])).toMatchObject({ status: 1, stderr: expect.stringContaining('crowbar: ') })
  })

  test('a process of its own ends with the same codes', () => {
    expect(launch(['validate'])).toMatchObject({ status: 0, stdout: '' })
    expect(launch(['diff']).status).toBe(2)
    expect(launch(['plann']).status).toBe(64)
    expect(launch(['plan'], { cwd: join(site, 'barclamps') })).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('error[NOT_A_SITE]') })
  })

  test('a reader that leaves early is no error', async () => {
    const { status } = spawnSync('sh', ['-c', `{ ${LAUNCHER} plan --format json --site ${site}; echo $? >&3; } 3>${folder}/rc | head -c 10`], { env: { PATH: process.env['PATH'], HOME: folder } })
    expect([status, readFileSync(join(folder, 'rc'), 'utf8').trim()]).toEqual([0, '0'])
  })
})

describe('plan', () => {
  test('is the same bytes wherever, whenever and in whatever language it is made', async () => {
    const one = launch(['plan', '--format', 'json'])
    expect(one.status).toBe(0)
    const moved = join(folder, 'elsewhere')
    // Another folder, filled in another order.
    for (const path of readdirSync(site).toReversed()) cpSync(join(site, path), join(moved, path), { recursive: true })
    const two = launch(['plan', '--format', 'json', '--site', moved], { cwd: '/', env: { TZ: 'Pacific/Kiritimati', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' } })
    expect(two.stdout).toBe(one.stdout)
  })

  test('is what the schema of plans says, says what is missing, and --out saves it', async () => {
    const file = join(folder, 'plan.json')
    const { stdout } = await crowbar(['plan', '--format', 'json', '--out', file])
    const plan = JSON.parse(stdout) as Plan
    expect(new Ajv2020({ strict: false }).compile(planShape.json)(plan)).toBe(true)
    expect(plan.complete).toBe(false)
    expect(plan.missing.map((missing) => missing.for)).toEqual(['node/client', 'node/web', 'stage/rootfs-debian-12', 'stage/packages-debian-12'])
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(plan)
  })

  test('--frozen refuses a lock that would change, until it is written', async () => {
    const frozen = await crowbar(['plan', '--frozen'])
    expect([frozen.status, frozen.stdout]).toEqual([4, ''])
    expect(frozen.stderr).toContain('error[LOCK_STALE]')
    expect((await crowbar(['lock', '--check'])).status).toBe(4)
    expect((await crowbar(['lock'])).status).toBe(0)
    expect((await crowbar(['lock', '--check'])).status).toBe(0)
    expect((await crowbar(['plan', '--frozen'])).status).toBe(0)
  })

  test.each(['text', 'markdown', 'dot'])('as %s goes to stdout', async (format) => {
    const { status, stdout } = await crowbar(['plan', '--format', format])
    expect([status, stdout]).toEqual([0, expect.stringContaining('hello-server')])
  })
})

test('os list names every operating system, the builtin ones too, and who has it', async () => {
  const { status, stdout } = await crowbar(['os', 'list'])
  expect(status).toBe(0)
  expect(stdout.split('\n').map((line) => line.split(/ {2,}/u))).toEqual(expect.arrayContaining([['OS', 'FAMILY', 'ARCHITECTURE', 'INSTALL', 'SOURCE', 'NODES'], ['debian-12', 'debian 12', 'amd64', 'image', 'debian-bookworm', 'client, web'], ['debian-13', 'debian 13', 'amd64', 'image', 'debian-trixie', '-']]))
  expect(JSON.parse((await crowbar(['os', 'list', '--format', 'json'])).stdout)).toContainEqual({ name: 'debian-13', family: 'debian', version: '13', architecture: 'amd64', install: 'image', moreSources: [], source: 'debian-trixie', nodes: [], at: expect.stringMatching(/:\d+:\d+$/u) })
})

describe('explain', () => {
  test('names layer, file and line, winner and losers', async () => {
    const { status, stdout } = await crowbar(['explain', 'web/hello-server', 'hello.port'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/> deployment +deployment\.yaml:8:18 +8080\n +default +barclamps\/hello\/barclamp\.yaml:9:65 +80\n/)
  })

  test('says what a diagnostic means, without a site', async () => {
    expect(await crowbar(['explain', 'CYCLE', '--site', '/nonexistent'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^CYCLE: Steps need each other/) })
  })

  test('knows what was probably meant', async () => {
    expect(await crowbar(['explain', 'wbe'])).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('did you mean web?') })
  })
})

describe('diff', () => {
  test('without a ledger says so first, and then that everything is new', async () => {
    const { status, stdout, stderr } = await crowbar(['diff'])
    expect(status).toBe(2)
    expect(stderr).toContain('There is no refs/crowbar/applied here, so every step counts as new')
    expect(stdout).toContain('MAY WIPE  2 nodes  client, web')
  })

  test('against the ledger of the repository: nothing is nothing, a change is a change', async () => {
    await crowbar(['lock'])
    commit('first')
    await apply()
    const base = await crowbar(['diff', '--format', 'json'])
    expect(base.stderr).toBe('')
    expect(JSON.parse(base.stdout)).toMatchObject({ base: { kind: 'ledger', run: 1, state: 'complete' } })
    expect((JSON.parse(base.stdout) as { changes: { step: { id: string } }[] }).changes.map(({ step }) => step.id)).not.toContain('stage/rootfs-debian-12')
    expect((await crowbar(['diff', 'refs/crowbar/applied', 'HEAD', '--format', 'json'])).status).toBe(2)
    git('update-ref', '-d', 'refs/crowbar/applied')
    expect(await crowbar(['diff', 'refs/crowbar/applied'])).toMatchObject({ status: 4, stdout: '' })
  })

  test('of two commits, and of saved plans', async () => {
    const first = commit('first')
    await crowbar(['plan', '--ref', first, '--out', join(folder, 'first.json')])
    edit('nodes.yaml', 'os: debian-12', 'os: debian-13')
    const second = commit('second')
    expect((await crowbar(['diff', first, second, '--format', 'json'])).status).toBe(2)
    for (const same of [first, join(folder, 'first.json')]) expect(await crowbar(['diff', same, first])).toMatchObject({ status: 0, stdout: expect.stringContaining('Nothing to do'), stderr: '' })
    const steps = async (...args: string[]): Promise<unknown> => (JSON.parse((await crowbar(['diff', ...args, '--format', 'json'])).stdout) as { changes: unknown }).changes
    expect(await steps(join(folder, 'first.json'), second)).toEqual(await steps(first, second))
    expect((await crowbar(['diff', join(folder, 'first.json')])).status).toBe(2)
    expect(await crowbar(['diff', 'nope'])).toMatchObject({ status: 4, stdout: '' })
    expect(await crowbar(['diff', first, 'nope'])).toMatchObject({ status: 1, stdout: '' })
    writeFileSync(join(folder, 'first.json'), '{"version": 99}')
    expect(await crowbar(['diff', join(folder, 'first.json')])).toMatchObject({ status: 4, stderr: expect.stringContaining('version 99') })
    writeFileSync(join(folder, 'first.json'), '{"version": 1}')
    expect(await crowbar(['diff', join(folder, 'first.json')])).toMatchObject({ status: 1, stderr: expect.stringContaining('no saved plan') })
  })

  test('--target, --exclude and --max-bytes leave out', async () => {
    const ids = async (...args: string[]): Promise<readonly string[]> => (JSON.parse((await crowbar(['diff', '--format', 'json', ...args])).stdout) as { changes: { step: { id: string } }[] }).changes.map(({ step }) => step.id)
    expect(await ids('--target', 'install@web')).toEqual(['discover@web', 'stage/rootfs-debian-12', 'install@web'])
    expect(await ids('--target', 'web', 'client', '--exclude', 'hello/*@web')).toEqual(['discover@client', 'discover@web', 'stage/rootfs-debian-12', 'install@client', 'install@web'])
    const { stdout } = await crowbar(['diff', '--max-bytes', '1000'])
    expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(1000)
  })

  test('a policy that denies refuses, and a saved plan has none', async () => {
    writeFileSync(join(site, 'policy.yaml'), 'kind: policy\nname: by-hand\nlevel: deny\ncheck: "!changes.exists(c, c.consequence == \'wipe\')"\nmessage: nothing is wiped here\n')
    expect((await crowbar(['diff', '--target', 'stage/*'])).status).toBe(2)
    const refused = await crowbar(['diff', '--target', 'install@web'])
    expect([refused.status, refused.stdout]).toEqual([3, expect.stringContaining('by-hand: nothing is wiped here')])
    expect((await crowbar(['diff', '--format', 'github'])).stdout).toContain('file=policy.yaml,line=4')
    commit('first')
    expect((await crowbar(['compile', '--ref', 'HEAD', '--out', join(folder, 'out'), '--exclude', 'install@*'])).status).toBe(0)
    expect(JSON.parse(readFileSync(join(folder, 'out/changes.json'), 'utf8'))).toMatchObject({ violations: [], selection: { exclude: ['install@*'] } })
    expect((await crowbar(['compile', '--ref', 'HEAD', '--out', join(folder, 'out')])).status).toBe(0)
    expect(JSON.parse(readFileSync(join(folder, 'out/changes.json'), 'utf8'))).toMatchObject({ violations: [{ policy: 'by-hand', level: 'deny', at: 'policy.yaml:4:8' }] })
    // A commit cannot take a policy away and do what it denies, whatever the agent commits on top; a commit of its own can.
    const levels = async (...args: string[]): Promise<readonly string[]> => (JSON.parse((await crowbar(['diff', '--format', 'json', ...args])).stdout) as { violations: { level: string }[] }).violations.map(({ level }) => level)
    rmSync(join(site, 'policy.yaml'))
    expect(await levels()).toEqual(['deny'])
    commit('second')
    expect(await levels()).toEqual(['deny'])
    mkdirSync(join(site, 'inventory'), { recursive: true })
    writeFileSync(join(site, 'inventory/.keep'), '')
    commit('inventory')
    expect(await levels()).toEqual(['deny'])
    await crowbar(['compile', '--ref', 'HEAD', '--out', join(folder, 'out')])
    expect(JSON.parse(readFileSync(join(folder, 'out/changes.json'), 'utf8'))).toMatchObject({ violations: [{ policy: 'by-hand', level: 'deny' }] })
    writeFileSync(join(site, 'note.txt'), 'an edit')
    expect(await levels()).toEqual([])
    commit('third')
    expect(await levels()).toEqual([])
    await crowbar(['plan', '--out', join(folder, 'plan.json')])
    expect(await crowbar(['diff', 'HEAD', join(folder, 'plan.json')])).toMatchObject({ status: 0, stderr: expect.stringContaining('none was judged') })
  })

  test.each([['--target', 'wbe'], ['--exclude', 'wbe'], ['--target', 'web', 'helo/*']])('%s with a name that nothing has is a mistake, and not nothing to do', async (...args) => {
    expect(await crowbar(['diff', ...args])).toMatchObject({ status: 64, stdout: '', stderr: expect.stringMatching(args.includes('wbe') ? /no step or node is called "wbe"; did you mean web\?/ : /"helo\/\*"/) })
  })

  test.each(['markdown', 'github'])('as %s', async (format) => {
    expect(await crowbar(['diff', '--format', format])).toMatchObject({ status: 2, stdout: expect.stringContaining('web') })
  })
})

describe('compile', () => {
  test('writes all that the agent reads, each as its schema says', async () => {
    const id = commit('first')
    git('clone', '--quiet', '--bare', '.', join(folder, 'bare.git'))
    const out = join(folder, 'out')
    expect(await crowbar(['compile', '--site', join(folder, 'bare.git'), '--ref', 'main', '--out', out])).toMatchObject({ status: 0, stdout: '' })
    const ajv = new Ajv2020({ strict: false })
    const read = (name: string): unknown => JSON.parse(readFileSync(join(out, name), 'utf8'))
    for (const [name, shape] of [['result.json', compilationShape], ['plan.json', planShape], ['changes.json', changesShape], ['site.lock.json', lockShape]] as const) {
      const validate = ajv.compile(shape.json)
      expect([name, validate(read(name)), validate.errors]).toEqual([name, true, null])
    }
    expect(read('result.json')).toEqual({ version: 1, ok: true, commit: id, lockChanged: true, baseFound: false, diagnostics: [] })
    const plan = read('plan.json') as Plan
    expect(plan.source.commit).toBe(id)
    const named = Object.values(plan.contents).flatMap((files) => Object.values(files).map(({ sha256 }) => sha256))
    expect(readdirSync(join(out, 'blobs')).toSorted()).toEqual([...new Set(named)].toSorted())
    for (const name of named) expect(digestBytes(readFileSync(join(out, 'blobs', name)))).toBe(`sha256:${name}`)
  })

  test('with a lock committed says that it did not change, and leaves nothing of an earlier run', async () => {
    await crowbar(['lock'])
    const id = commit('first')
    const out = join(folder, 'out')
    expect((await crowbar(['compile', '--site', site, '--ref', id, '--out', out])).status).toBe(0)
    expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toMatchObject({ ok: true, lockChanged: false })
    expect(readFileSync(join(out, 'site.lock.json'), 'utf8')).toBe(readFileSync(join(site, 'site.lock.json'), 'utf8'))
    edit('nodes.yaml', 'kind: rule', 'kind: ruel')
    expect((await crowbar(['compile', '--site', site, '--ref', commit('bad'), '--out', out])).status).toBe(1)
    expect(readdirSync(out)).toEqual(['result.json'])
  })

  test('refuses to go on without a lock where a ledger is', async () => {
    commit('first')
    await apply()
    const out = join(folder, 'out')
    expect(await crowbar(['compile', '--site', site, '--ref', 'HEAD', '--out', out])).toMatchObject({ status: 4, stderr: expect.stringContaining('LOCK_MISSING') })
    expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toMatchObject({ ok: false, baseFound: true })
    await crowbar(['lock', '--new'])
    commit('lock')
    expect((await crowbar(['compile', '--site', site, '--ref', 'HEAD', '--out', out])).status).toBe(0)
    expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toMatchObject({ ok: true, baseFound: true })
  })
})

/** Puts a ledger that has one node on refs/crowbar/applied of the site. */
function publish(node: LedgerNode): void {
  const files = writeLedger({ nodes: { [node.node]: node }, machines: {}, values: {}, run: null })
  const stream = ['commit refs/crowbar/applied', 'committer t <t@example.com> 0 +0000', 'data 1', 'x', ...[...files].flatMap(([path, text]) => [`M 100644 inline ${path}`, `data ${Buffer.byteLength(text)}`, text]), 'done', ''].join('\n')
  execFileSync('git', ['fast-import', '--quiet', '--force'], { cwd: site, input: stream })
}

describe('a node whose disks were erased', () => {
  test('is said to be held by why, of each of its steps and of itself, until its generation is raised', async () => {
    mkdirSync(join(site, 'inventory'), { recursive: true })
    writeFileSync(join(site, 'inventory/m1.json'), machine('m1', { macs: ['52:54:00:12:4d:01'] })['inventory/m1.json'] ?? '')
    await crowbar(['lock'])
    commit('first')
    expect((await crowbar(['why', 'install@web'])).stdout).not.toContain('held')
    publish({ version: 1, node: 'web', machine: 'm1', incarnation: null, erased: { step: 'operation/gone/erase@web', machine: 'm1', generation: 0 }, attempted: {}, steps: {} })
    const held = 'operation/gone/erase@web erased the disks of web, or began to: nothing is installed or runs there until `crowbar reinstall web` is committed and applied, or web gets another machine'
    const [step, whole, json] = [await crowbar(['why', 'hello/hello-server@web']), await crowbar(['why', 'web']), await crowbar(['why', 'install@*', '--format', 'json'])]
    expect(step.stdout.replaceAll(/\s+/g, ' ')).toContain(`held: ${held}`)
    expect(whole.stdout.match(/^\S+@web needs/gm)).toEqual(expect.arrayContaining(['install@web needs', 'hello/hello-server@web needs']))
    expect((JSON.parse(json.stdout) as readonly { readonly step: string; readonly held?: string }[]).map(({ step: id, held: why }) => [id, why])).toEqual([['install@client', undefined], ['install@web', held]])
    await crowbar(['reinstall', 'web'])
    expect((await crowbar(['why', 'install@web'])).stdout).not.toContain('held')
  })
})

describe('a node that was protected when it last ran', () => {
  test('is not reinstalled, replaced or released before that is over', async () => {
    await crowbar(['lock'])
    commit('first')
    publish({ version: 1, node: 'web', machine: 'm', incarnation: null, protect: 'nodes.yaml:2:7', attempted: {}, steps: {} })
    for (const args of [['release', 'web'], ['reinstall', 'web'], ['replace', 'web', '--serial', 'x']]) {
      expect(await crowbar(args)).toMatchObject({ status: 3, stdout: '', stderr: expect.stringContaining('web was protected when it last ran (nodes.yaml:2:7)') })
    }
  })
})

describe('a lock that went away', () => {
  test('is missed by diff and plan where a ledger is, and not where nothing ever ran', async () => {
    await crowbar(['lock'])
    commit('first')
    rmSync(join(site, 'site.lock.json'))
    expect((await crowbar(['diff'])).status).toBe(2)
    await apply()
    expect(await crowbar(['diff'])).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining('LOCK_MISSING') })
    expect(await crowbar(['diff', 'refs/crowbar/applied'])).toMatchObject({ status: 4, stdout: '' })
    expect((await crowbar(['diff', 'HEAD'])).status).toBe(0)
    expect(await crowbar(['plan'])).toMatchObject({ status: 0, stderr: expect.stringContaining('warning[LOCK_MISSING]') })
    expect(await crowbar(['plan', '--frozen'])).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining('Restore site.lock.json') })
    expect(await crowbar(['lock'])).toMatchObject({ status: 4, stderr: expect.stringContaining('error[LOCK_MISSING]') })
    expect(existsSync(join(site, 'site.lock.json'))).toBe(false)
    expect(await crowbar(['release', 'web'])).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining('LOCK_MISSING') })
    expect(await crowbar(['lock', '--new'])).toMatchObject({ status: 0, stderr: expect.stringContaining('warning[LOCK_MISSING]') })
    expect((await crowbar(['diff'])).stderr).toBe('')
  })

  test.each([['', 1], [' \n\n', 1], ['{}', 1], ['null\n', 1], ['{"kind":"lock"}\n---\n{}\n', 2]])('is not an empty one: %j', async (text, line) => {
    writeFileSync(join(site, 'site.lock.json'), text)
    const out = join(folder, 'out')
    expect(await crowbar(['compile', '--ref', commit('emptied'), '--out', out])).toMatchObject({ status: 1, stderr: expect.stringMatching(new RegExp(`^site.lock.json:${line === 2 ? 3 : 1}:1: error\\[LOCK_INVALID\\]`)) })
    expect((await crowbar(['validate'])).status).toBe(1)
  })
})

describe('init', () => {
  test('makes a site that compiles as it is, and only where nothing is', async () => {
    const made = join(folder, 'New Site')
    expect((await crowbar(['init', made])).status).toBe(0)
    const plan = await crowbar(['plan', '--site', made, '--format', 'json'])
    expect(plan.status).toBe(0)
    expect((JSON.parse(plan.stdout) as Plan).site.name).toBe('new-site')
    expect(statSync(join(made, 'barclamps/welcome/run.sh')).mode & 0o777).toBe(0o755)
    const again = await crowbar(['init', made])
    expect([again.status, again.stdout]).toEqual([1, ''])
    expect((await crowbar(['init', join(made, 'site.yaml')])).status).toBe(1)
    expect((await crowbar(['init', join(folder, '___')])).status).toBe(64)
  })
})

describe('schema', () => {
  test('of all documents tells a good one from a bad one by its kind', async () => {
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse((await crowbar(['schema'])).stdout) as object)
    expect(validate({ kind: 'network', name: 'admin' })).toBe(true)
    expect(validate({ kind: 'network', nam: 'admin' })).toBe(false)
    expect(validate({ kind: 'nope' })).toBe(false)
  })
})

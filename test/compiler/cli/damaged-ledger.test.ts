import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeLedger } from '../../../schemas/ledger-tree.ts'
import { crowbarHere } from './in-process.ts'
import type { Ran } from './in-process.ts'

const EXAMPLE = fileURLToPath(new URL('../../../site-examples/first-light', import.meta.url))

let folder: string
let site: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-ledger-'))
  site = join(folder, 'site')
  cpSync(EXAMPLE, site, { recursive: true })
  git('init', '--quiet', '--initial-branch=main')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function crowbar(args: readonly string[]): Promise<Ran> {
  return crowbarHere([...args, '--site', site])
}

function git(...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: site, encoding: 'utf8' }).trim()
}

function commit(message: string): void {
  git('add', '-A')
  git('commit', '--quiet', '-m', message)
}

/** A good ledger on refs/crowbar/applied, of loose objects. */
function apply(): void {
  const files = writeLedger({ nodes: { _admin: { version: 1, node: '_admin', machine: null, incarnation: null, attempted: {}, steps: {} } }, machines: {}, values: {}, run: JSON.parse(RUN) as never })
  const nodes = treeOf([['100644', files.get('nodes/_admin.json') ?? '', '_admin.json']])
  const tree = execFileSync('git', ['mktree'], { cwd: site, encoding: 'utf8', input: `040000 tree ${nodes}\tnodes\n100644 blob ${hash(files.get('run.json') ?? '')}\trun.json\n` }).trim()
  git('update-ref', 'refs/crowbar/applied', git('commit-tree', '-m', 'x', tree))
}

const RUN = JSON.stringify({ version: 1, run: 1, commit: 'x', plan: 'x', state: 'complete', time: '2026-01-02T03:04:05.000Z', epoch: 1, seq: 1 })
const hash = (text: string): string => execFileSync('git', ['hash-object', '-w', '--stdin'], { cwd: site, input: text, encoding: 'utf8' }).trim()
/** Mode, text and name of each entry. */
function treeOf(files: readonly (readonly [string, string, string])[]): string {
  const lines = files.map(([mode, text, path]) => (mode === '160000' ? `${mode} commit ${text}\t${path}\n` : `${mode} blob ${hash(text)}\t${path}\n`))
  return execFileSync('git', ['mktree', '--missing'], { cwd: site, encoding: 'utf8', input: lines.join('') }).trim()
}

describe('a damaged ledger is never taken for an empty one:', () => {
  /** What the ledger's folder gets beside a good run.json: mode, text, path. */
  test.each<[string, readonly (readonly [string, string, string])[], string]>([
    ['a file that is not whole', [['100644', '{', 'roles.json']], 'roles.json'],
    ['a file of a later Crowbar', [['100644', '{"version":7}', 'roles.json']], 'Use the Crowbar that wrote it'],
    ['a link that leads outside', [['120000', '../../../etc/passwd', 'roles.json']], 'roles.json'],
    ['a link that leads to nothing', [['120000', 'gone.json', 'roles.json']], 'roles.json'],
    ['a node that is another repository', [['160000', '1111111111111111111111111111111111111111', 'nodes']], 'nodes'],
    ['a file that names a run of no time', [['100644', RUN.replace('"complete"', '"done"'), 'run.json']], 'run.json'],
  ])('%s', async (_, files, says) => {
    commit('first')
    const lines = [...(files.some(([, , path]) => path === 'run.json') ? [] : [['100644', RUN, 'run.json'] as const]), ...files]
    const tree = treeOf(lines)
    git('update-ref', 'refs/crowbar/applied', git('commit-tree', '-m', 'x', tree))
    for (const args of [['diff'], ['diff', 'refs/crowbar/applied']]) expect(await crowbar(args)).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining(says) })
    expect((await crowbar(['diff'])).stderr).toContain('cannot be used')
  })

  test('objects that are not there', async () => {
    await crowbar(['lock'])
    commit('first')
    apply()
    const lost = (object: string): void => rmSync(join(site, '.git/objects', object.slice(0, 2), object.slice(2)))
    lost(git('rev-parse', 'refs/crowbar/applied:nodes/_admin.json'))
    expect(await crowbar(['diff'])).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining('cannot be used') })
    const out = join(folder, 'out')
    expect(await crowbar(['compile', '--ref', 'HEAD', '--out', out])).toMatchObject({ status: 4, stderr: expect.stringContaining('LEDGER_INVALID') })
    lost(git('rev-parse', 'refs/crowbar/applied'))
    expect(await crowbar(['diff'])).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining('cannot be used') })
    // What asks the ledger whether a node was protected, or a lock is missing, does not go on either.
    expect(await crowbar(['release', 'web'])).toMatchObject({ status: 4, stdout: '' })
    rmSync(join(site, 'site.lock.json'))
    expect(await crowbar(['lock'])).toMatchObject({ status: 4, stderr: expect.stringContaining('LOCK_MISSING') })
  })
})

test('a shallow clone, as CI has it, reads the same ledger', async () => {
  await crowbar(['lock'])
  commit('first')
  git('commit', '--quiet', '--allow-empty', '-m', 'second')
  apply()
  const whole = await crowbar(['diff'])
  const shallow = join(folder, 'shallow')
  git('clone', '--quiet', '--depth', '1', `file://${site}`, shallow)
  execFileSync('git', ['-C', shallow, 'fetch', '--quiet', '--depth', '1', 'origin', '+refs/crowbar/*:refs/crowbar/*'])
  expect(execFileSync('git', ['-C', shallow, 'rev-parse', '--is-shallow-repository'], { encoding: 'utf8' })).toBe('true\n')
  expect(whole).toMatchObject({ status: 2, stdout: expect.stringContaining('applied') })
  expect(await crowbarHere(['diff', '--site', shallow])).toEqual(whole)
})

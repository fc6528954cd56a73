import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { change } from '../../compiler/change/change.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import { EXAMPLE_MACHINES, inventoryOf } from '../builders/example-machines.ts'
import { EXAMPLE_SITES, SITE_EXAMPLES } from '../builders/example-sites.ts'
import { gitWorld, makeRepository } from '../builders/git-repository.ts'
import { expectGolden } from '../builders/golden.ts'
import { planGolden } from '../builders/plan-golden.ts'
import { crowbarHere } from '../compiler/cli/in-process.ts'
import { compileTree, exampleTree, success } from '../compiler/compiling.ts'

/** Warnings that an example may have: what it is short of, and what this version does not do yet. Where, says its golden plan. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = { austin: ['ROLE_COUNT'] }

describe.each(EXAMPLE_SITES)('%s', (name) => {
  const folder = new URL(`${name}/`, SITE_EXAMPLES)
  const result = compileTree(exampleTree(name))

  test('has nothing to complain about', () => {
    expect(result.diagnostics.filter(({ code, severity }) => severity === 'error' || !(EXPECTED[name] ?? []).includes(code))).toEqual([])
  })

  test('has its golden plan', () => {
    const { file, text } = planGolden(success(result).plan)
    expectGolden(text, new URL(`golden/${file}`, folder))
  })

  test('has a lock that is up to date, if it has one, and an inventory that its machines tell', () => {
    expect(existsSync(new URL('site.lock.json', folder)) && success(result).lockChanged).toBe(false)
    const machines = inventoryOf(EXAMPLE_MACHINES[name] ?? [])
    for (const [path, text] of machines) expectGolden(text, new URL(path, folder))
    expect([...exampleTree(name).files.keys()].filter((path) => path.startsWith('inventory/'))).toEqual([...machines.keys()])
  })

  test('is new in whole on bare metal: every step of its plan, in order, and nothing is taken away', () => {
    const { plan } = success(result)
    const changes = change(EMPTY_LEDGER, plan)
    expect(changes.changes.map(({ step }) => step.id)).toEqual([...plan.steps, ...plan.operations.flatMap(({ steps }) => steps)].map(({ id }) => id))
    for (const { step, consequence } of changes.changes) expect([step.id, consequence === 'wipe']).toEqual([step.id, step.destructive])
    expect(changes.violations).toEqual([])
  })
})

describe('README', () => {
  let copy: string
  let world: ReturnType<typeof gitWorld>
  const before = process.cwd()
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'crowbar-examples-'))
    cpSync(fileURLToPath(SITE_EXAMPLES), join(copy, 'site-examples'), { recursive: true })
    process.chdir(copy)
    world = gitWorld({ 'https://git.example.com/ops/banner.git': 'banner' })
    const repository = makeRepository(join(world.folder, 'banner'), join(copy, 'site-examples/private-barclamp/golden/repository'))
    repository.commit({})
    repository.git('tag', 'v1.0.0')
  })
  afterAll(() => {
    world[Symbol.dispose]()
    process.chdir(before)
    rmSync(copy, { recursive: true, force: true })
  })

  test.each(EXAMPLE_SITES)('%s is short, and what it says to run runs', async (name) => {
    const text = readFileSync(new URL(`${name}/README.md`, SITE_EXAMPLES), 'utf8')
    const commands = [...text.matchAll(/^ {4}crowbar (?<line>.*)$/gm)].map((match) => match.groups?.['line'] as string)
    expect(text.split('\n').length).toBeLessThanOrEqual(20)
    expect(commands.length).toBeGreaterThan(0)
    // A rehearsal builds a rack; test/system has those.
    for (const line of commands.filter((each) => !each.startsWith('rehearse '))) {
      const { status, stdout, stderr } = await crowbarHere(words(line))
      if (status !== (line.startsWith('diff ') ? 2 : 0)) throw new Error(`crowbar ${line} ended with ${status}: ${stderr}`)
      expect(stdout + stderr, line).not.toBe('')
    }
  })
})

/** The words of a command line without its comment, as a shell would have them. */
function words(line: string): readonly string[] {
  return [...line.replace(/\s+#.*$/, '').matchAll(/'(?<quoted>[^']*)'|(?<bare>\S+)/g)].map(({ groups }) => groups?.['quoted'] ?? (groups?.['bare'] as string))
}

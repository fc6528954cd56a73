/**
 * `npm test`: types, lint, then every test. Ends with what failed, and one plain line, counted from the test runner's own
 * report: `tests: N passed, N failed`. Exit code 0 only when nothing failed and something ran.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

interface RunnerReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numTotalTests: number
  readonly success: boolean
  readonly testResults: readonly {
    readonly status: string
    readonly name: string
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string; readonly failureMessages: readonly string[] }[]
  }[]
}

/** So much of a failure is said again at the end, where the end of a long output is all that somebody has. */
const SAID_AGAIN = 12

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'crowbar-test-'))
let passed = 0
let failed = 0
const failures: string[] = []

try {
  for (const [name, ...argv] of [['types', 'tsc'], ['lint', 'oxlint', '--type-aware', '--deny-warnings']] as const) {
    if (await run(argv) !== 0) {
      failed++
      failures.push(name)
    } else passed++
  }
  await project('quick')
  if (process.getuid?.() === 0) await Promise.all([project('machines'), project('system')])
  else console.error('the whole-system tests make network namespaces and disks: run as root to have them too')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const one of failures) console.log(`failed: ${one}`)
console.log(`tests: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 2 ? 0 : 1

/** Runs one project of the tests, and counts what it reports. */
async function project(name: string): Promise<void> {
  const report = join(folder, `${name}.json`)
  count(name, report, await run(['vitest', 'run', '--project', name, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]))
}

function run(argv: readonly string[]): Promise<number> {
  const child = spawn(join(root, 'node_modules/.bin', argv[0] ?? ''), argv.slice(1), { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve) => {
    child.once('error', () => resolve(1))
    child.once('close', (code) => resolve(code ?? 1))
  })
}

function count(project: string, file: string, code: number): void {
  let report: RunnerReport
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as RunnerReport
  } catch {
    failed++
    failures.push(`${project}: the runner left no report (exit ${code})`)
    return
  }
  passed += report.numPassedTests
  failed += report.numFailedTests
  for (const { status, name, message, assertionResults } of report.testResults) {
    if (status !== 'failed') continue
    const file = relative(root, name)
    const broken = assertionResults.filter(one => one.status === 'failed')
    for (const { fullName, failureMessages } of broken) failures.push(said(`${file}: ${fullName}`, failureMessages.join('\n')))
    // A file that fails to load, or whose hooks fail, may have no failed test of its own to count.
    if (broken.length > 0) continue
    failed++
    failures.push(said(file, message))
  }
  if (code !== 0 && report.success) {
    failed++
    failures.push(`${project}: the runner ended with ${code}`)
  }
}

function said(title: string, message: string): string {
  return [title, ...message.split('\n').slice(0, SAID_AGAIN).map(line => `  ${line}`)].join('\n')
}

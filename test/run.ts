/**
 * `npm test`: types, lint, then every test. Ends with one plain line, counted from the test runner's own report:
 * `tests: N passed, N failed`. Exit code 0 only when nothing failed and something ran.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface RunnerReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numTotalTests: number
  readonly success: boolean
  readonly testResults: readonly { readonly status: string; readonly name: string; readonly message: string }[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'crowbar-test-'))
let passed = 0
let failed = 0

try {
  for (const [name, ...argv] of [['types', 'tsc'], ['lint', 'oxlint', '--type-aware', '--deny-warnings']] as const) {
    if (await run(argv) !== 0) {
      failed++
      console.error(`${name}: failed`)
    } else passed++
  }
  await project('quick')
  if (process.getuid?.() === 0) await Promise.all([project('machines'), project('system')])
  else console.error('the whole-system tests make network namespaces and disks: run as root to have them too')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
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
    console.error(`${project}: the runner left no report (exit ${code})`)
    return
  }
  passed += report.numPassedTests
  // A file that fails to load has no test of its own to count.
  const broken = report.testResults.filter(one => one.status === 'failed' && report.numFailedTests === 0).length
  failed += report.numFailedTests + broken
  if (code !== 0 && report.numFailedTests + broken === 0) failed++
}

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProgram } from '../../../agent/stage/run-program.ts'

const signal = new AbortController().signal

test('output is collected and lines are handed on as they come', async () => {
  const lines: string[] = []
  const output = await runProgram(['sh', '-c', 'echo one; echo two >&2; printf three'], { signal, onLine: line => lines.push(line) })
  expect(output).toEqual({ stdout: 'one\nthree', stderr: 'two\n' })
  expect(lines.toSorted()).toEqual(['one', 'two'])
})

test('a program that fails is reported with what it said last', async () => {
  const run = runProgram(['sh', '-c', 'echo before; echo "no such disk" >&2; exit 3'], { signal })
  await expect(run).rejects.toMatchObject({ code: 'PROGRAM_FAILED', message: 'sh ended with 3:\nno such disk' })
})

test('a program that is not there is reported by name', async () => {
  await expect(runProgram(['crowbar-no-such-program'], { signal })).rejects.toMatchObject({ code: 'PROGRAM_MISSING', data: { program: 'crowbar-no-such-program' } })
})

test('an abort ends the program and what it started, and rejects with the reason', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-run-'))
  try {
    const controller = new AbortController()
    const file = join(folder, 'pid')
    const run = runProgram(['sh', '-c', `sleep 600 & echo $! > ${file}; echo ready; wait`], {
      signal: controller.signal, onLine: () => controller.abort(new Error('told to stop')),
    })
    await expect(run).rejects.toThrow('told to stop')
    const pid = Number(await readFile(file, 'utf8'))
    await expect.poll(() => isRunning(pid)).toBe(false)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a program that hangs is stopped at its deadline', async () => {
  await expect(runProgram(['sleep', '600'], { signal, deadlineMs: 50 })).rejects.toMatchObject({ code: 'PROGRAM_TIMEOUT' })
})

test('a program sees nothing of our environment but the path', async () => {
  process.env['CROWBAR_TEST_SECRET'] = 'x'
  try {
    const { stdout } = await runProgram(['env'], { signal })
    expect(stdout).not.toContain('CROWBAR_TEST_SECRET')
    expect(stdout).toContain('LC_ALL=C.UTF-8')
  } finally {
    delete process.env['CROWBAR_TEST_SECRET']
  }
})

/** A zombie that nobody has collected yet counts as ended. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined)
  return status !== undefined && !/\) Z /.test(status)
}

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { signalFamily, startOf } from '../../../agent/node/process-family.ts'
import type { ProcessMark } from '../../../agent/node/process-family.ts'
import { runProgram } from '../../../agent/node/run-program.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-family-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const numbers = (): number[] => ['group', 'session', 'clean'].map((name) => Number(readFileSync(join(folder, name), 'utf8')))
const isRunning = (pid: number): boolean => startOf(pid) !== undefined && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))

/** One in the program's group, one in a session of its own, one in another with another environment below somebody who waits. */
const MANY = `cd "$1"
sleep 600 & echo $! > group
setsid sh -c 'echo $$ > session; trap "" TERM; sleep 600 & wait; wait' &
setsid sh -c 'env -i sh -c "echo \\$\\$ > clean; exec sleep 600"; true' &
until [ -s group ] && [ -s session ] && [ -s clean ]; do sleep 0.05; done
echo ready
wait`

test('an abort ends all that a program has started, in whatever session and environment', async () => {
  const stop = new AbortController()
  const ended = runProgram(['sh', '-c', MANY, 'sh', folder], { signal: stop.signal, graceMs: 500, onLine: () => stop.abort(new Error('told to stop')) })
  await expect(ended).rejects.toThrow('told to stop')
  await expect.poll(() => numbers().filter(isRunning)).toEqual([])
})

test('what has a signal will do for options, wherever it has it', async () => {
  expect(await runProgram(['true'], new AbortController())).toMatchObject({ exitCode: 0 })
})

test('what a former life left running is found when the program itself is gone', async () => {
  const stop = new AbortController()
  let mark: ProcessMark | undefined
  const ready = Promise.withResolvers<void>()
  const ended = runProgram(['sh', '-c', MANY, 'sh', folder], { signal: stop.signal, onStart: (one) => (mark = one), onLine: () => ready.resolve() })
  await ready.promise
  const stranger = spawn('sleep', ['600'])
  try {
    process.kill(mark?.pid ?? 0, 'SIGKILL')
    await ended
    expect(numbers().every(isRunning)).toBe(true)
    expect(signalFamily(mark as ProcessMark, 'SIGKILL')).toBe(true)
    await expect.poll(() => numbers().filter(isRunning)).toEqual([])
    expect([isRunning(stranger.pid ?? 0), signalFamily(mark as ProcessMark, 'SIGKILL')]).toEqual([true, false])
  } finally {
    stranger.kill('SIGKILL')
  }
})

test('a number that another process has by now is nobody of the family', () => {
  expect(signalFamily({ pid: process.ppid, start: '1', run: 'nobody' }, 'SIGKILL')).toBe(false)
})

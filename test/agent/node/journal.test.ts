import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openJournal } from '../../../agent/node/journal.ts'
import type { TaskResult } from '../../../schemas/protocol.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-journal-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const result = (attempt: string): TaskResult => ({ attempt, outcome: 'succeeded', code: null, message: null, provides: { a: 1 }, seconds: 2 })

test('what was journalled is there when it is opened again', () => {
  const file = join(folder, 'state', 'journal')
  {
    using journal = openJournal(file)
    journal.raiseEpoch(4)
    journal.raiseEpoch(2)
    journal.start('1/a/1')
    journal.process('1/a/1', { pid: 7, start: '99', run: 'r' })
    journal.start('1/b/1')
    journal.finish(result('1/b/1'))
    journal.start('1/c/1')
    journal.finish(result('1/c/1'))
    journal.acknowledge('1/c/1')
  }
  using journal = openJournal(file)
  expect(journal.highestEpoch).toBe(4)
  expect([...journal.attempts.values()]).toEqual([
    { attempt: '1/a/1', result: null, acknowledged: false, process: { pid: 7, start: '99', run: 'r' }, sealed: [] },
    { attempt: '1/b/1', result: result('1/b/1'), acknowledged: false, process: null, sealed: [] },
    { attempt: '1/c/1', result: result('1/c/1'), acknowledged: true, process: null, sealed: [] },
  ])
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('a last line that a power cut tore is dropped, and what follows is not glued to it', () => {
  const file = join(folder, 'journal')
  openJournal(file)[Symbol.dispose]()
  appendFileSync(file, '{"t":"started","attempt":"1/a/1"}\n{"t":"result","resu')
  {
    using journal = openJournal(file)
    expect(journal.attempts.get('1/a/1')?.result).toBeNull()
    journal.finish(result('1/a/1'))
  }
  using journal = openJournal(file)
  expect(journal.attempts.get('1/a/1')?.result).toEqual(result('1/a/1'))
})

test('acknowledged attempts are forgotten beyond the last 200, others never', () => {
  const file = join(folder, 'journal')
  {
    using journal = openJournal(file)
    journal.start('keep')
    for (let n = 0; n < 230; n++) {
      journal.start(`1/a/${n}`)
      journal.finish(result(`1/a/${n}`))
      journal.acknowledge(`1/a/${n}`)
    }
  }
  using journal = openJournal(file)
  expect(journal.attempts.has('keep')).toBe(true)
  expect(journal.attempts.has('1/a/229')).toBe(true)
  expect(journal.attempts.has('1/a/0')).toBe(false)
  expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThan(1000)
})

test.runIf(process.getuid?.() === 0)('on a full disk nothing that was journalled is lost, and nothing is glued to half a line', () => {
  const small = join(folder, 'small')
  mkdirSync(small)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24k,mode=0700', 'crowbar-test', small])
  try {
    const file = join(small, 'journal')
    const large = (attempt: string): TaskResult => ({ ...result(attempt), provides: { text: 'y'.repeat(900) } })
    {
      using journal = openJournal(file)
      journal.raiseEpoch(7)
      for (let n = 0; n < 15; n++) {
        journal.start(`1/s/${n}`)
        journal.finish(large(`1/s/${n}`))
      }
    }
    // Twice: the second life reads what the first one left when it could not make the file shorter.
    for (let life = 0; life < 2; life++) {
      using journal = openJournal(file)
      expect(journal.highestEpoch).toBe(7)
      expect(journal.attempts.size).toBe(15)
    }
    {
      using journal = openJournal(file)
      expect(() => {
        for (let n = 15; n < 40; n++) journal.finish({ ...large(`1/s/${n}`), message: 'x'.repeat(5000) })
      }).toThrow('ENOSPC')
      rmSync(join(small, 'journal.next'), { force: true })
      execFileSync('mount', ['-o', 'remount,size=200k', small])
      journal.start('1/s/after')
    }
    using journal = openJournal(file)
    expect(journal.attempts.has('1/s/after')).toBe(true)
    expect(journal.attempts.get('1/s/14')?.result).not.toBeNull()
  } finally {
    execFileSync('umount', [small])
  }
})

test('sensitive provides are in the file until the agent has them, and not a moment longer', () => {
  const file = join(folder, 'journal')
  const ended = { ...result('1/a/1'), provides: { token: 'canary-5f1d0c', port: 80 } }
  {
    using journal = openJournal(file)
    journal.start('1/a/1', ['token'])
    journal.finish(ended)
  }
  {
    using journal = openJournal(file)
    // The agent has not heard it yet: after a restart it still can.
    expect(journal.attempts.get('1/a/1')?.result).toEqual(ended)
    journal.start('1/b/1')
    journal.acknowledge('1/a/1')
    expect(readFileSync(file, 'utf8')).not.toContain('canary')
    expect(journal.attempts.get('1/a/1')).toMatchObject({ acknowledged: true, result: { outcome: 'succeeded', provides: { port: 80 } } })
    journal.finish(result('1/b/1'))
  }
  using journal = openJournal(file)
  expect(readFileSync(file, 'utf8')).not.toContain('canary')
  expect(journal.attempts.get('1/a/1')?.result?.provides).toEqual({ port: 80 })
  expect(journal.attempts.get('1/b/1')?.result).toEqual(result('1/b/1'))
})

test('sensitive provides of an attempt that is forgotten at once are gone too', () => {
  const file = join(folder, 'journal')
  using journal = openJournal(file)
  journal.start('first', ['token'])
  journal.finish({ ...result('first'), provides: { token: 'canary-5f1d0c' } })
  for (let n = 0; n < 230; n++) {
    journal.start(`1/a/${n}`)
    journal.acknowledge(`1/a/${n}`)
  }
  journal.acknowledge('first')
  expect(readFileSync(file, 'utf8')).not.toContain('canary')
})

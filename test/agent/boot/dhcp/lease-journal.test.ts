import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LeaseJournal } from '../../../../agent/boot/dhcp/lease-journal.ts'
import type { Lease } from '../../../../agent/boot/dhcp/lease-table.ts'
import fc from '../../../property.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leases-'))
  path = join(folder, 'leases')
})
afterEach(() => rm(folder, { recursive: true }))

function lease(last: number, expires: number, state: Lease['state'] = 'bound'): Lease {
  return { address: `10.0.0.${last}`, subnet: 'admin', client: `mac:52:54:00:00:00:0${last % 10}`, state, expires }
}

async function contents(): Promise<readonly Lease[]> {
  const { journal, contents: found } = await LeaseJournal.open(path)
  await journal[Symbol.asyncDispose]()
  expect(found.damagedLines).toBe(0)
  return found.leases
}

test('what was appended is there after opening again, the last state of each address', async () => {
  {
    const { journal } = await LeaseJournal.open(path)
    await using open = journal
    await open.append([lease(1, 100), lease(2, 100)])
    await open.append([lease(1, 200)])
    await open.append([lease(3, 100, 'offered')])
  }
  expect(await contents()).toEqual([lease(1, 200), lease(2, 100)])
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('a torn last line is cut off, and what follows it is whole', async () => {
  const { journal } = await LeaseJournal.open(path)
  await journal.append([lease(1, 100)])
  await journal.append([lease(2, 100)])
  await journal[Symbol.asyncDispose]()
  await truncate(path, (await stat(path)).size - 7)
  const again = await LeaseJournal.open(path)
  expect(again.contents).toEqual({ leases: [lease(1, 100)], damagedLines: 0 })
  await again.journal.append([lease(3, 100)])
  await again.journal[Symbol.asyncDispose]()
  expect(await contents()).toEqual([lease(1, 100), lease(3, 100)])
})

test('a power cut at any byte leaves every lease that was acknowledged before it', async () => {
  const { journal } = await LeaseJournal.open(path)
  const sizes: number[] = []
  for (let n = 1; n <= 5; n += 1) {
    await journal.append([lease(n, n)])
    sizes.push((await stat(path)).size)
  }
  await journal[Symbol.asyncDispose]()
  const whole = await readFile(path)
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), async (cut) => {
      await writeFile(path, whole.subarray(0, cut))
      expect((await contents()).length).toBe(sizes.filter((size) => size <= cut).length)
    }),
    { numRuns: 40 },
  )
})

test('a damaged line in the middle is counted and the others are kept', async () => {
  const { journal } = await LeaseJournal.open(path)
  await journal.append([lease(1, 100)])
  await journal[Symbol.asyncDispose]()
  await appendFile(path, '00000000 {"address":"10.0.0.9"}\nnonsense\n')
  const again = await LeaseJournal.open(path)
  expect(again.contents).toEqual({ leases: [lease(1, 100)], damagedLines: 2 })
  await again.journal[Symbol.asyncDispose]()
})

test('a file that has grown by renewals is written anew, and appending goes on', async () => {
  const { journal } = await LeaseJournal.open(path)
  const renewals = (from: number): Lease[] => Array.from({ length: 5000 }, (_, n) => lease(n % 3, from + n))
  await journal.append(renewals(0))
  expect((await readFile(path, 'utf8')).trim().split('\n')).toHaveLength(3)
  await journal.append([lease(7, 1)])
  await journal[Symbol.asyncDispose]()
  expect(await contents()).toHaveLength(4)
})

test('a thousand at once share a few flushes, and each resolves', async () => {
  const { journal } = await LeaseJournal.open(path)
  await Promise.all(Array.from({ length: 1000 }, (_, n) => journal.append([lease(n % 250, n)])))
  await journal[Symbol.asyncDispose]()
  expect(await contents()).toHaveLength(250)
})

test('says CLOSED after the end and FULL when too much waits', async () => {
  const { journal } = await LeaseJournal.open(path)
  const many = Array.from({ length: 65_536 }, (_, n) => lease(n % 200, n))
  // The first is being written, the second waits.
  const first = journal.append([lease(1, 1)])
  const second = journal.append(many.slice(1))
  await expect(journal.append(many)).rejects.toMatchObject({ code: 'LEASE_JOURNAL_FULL' })
  await Promise.all([first, second])
  await journal[Symbol.asyncDispose]()
  await expect(journal.append([lease(1, 1)])).rejects.toMatchObject({ code: 'LEASE_JOURNAL_CLOSED' })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { usersOf } from '../../../../agent/node/imaging/folder-users.ts'
import { openMounts } from '../../../../agent/node/imaging/mounts.ts'
import type { Mounts } from '../../../../agent/node/imaging/mounts.ts'

const isRoot = process.getuid?.() === 0
let root = ''
let mounts: Mounts
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'crowbar-mounts-')))
  mounts = openMounts(root, { signal: AbortSignal.timeout(20_000) })
})
afterEach(async () => {
  await mounts[Symbol.asyncDispose]()
  // Refuses to go when something is still mounted there.
  rmdirSync(root)
})

test.runIf(isRoot)('what a program of the new system left in the background does not keep its disk', async () => {
  await mounts.mount('tmpfs', '', { type: 'tmpfs' })
  await mounts.bind('/', '/all')
  const left = spawn('chroot', [join(root, 'all'), 'sh', '-c', 'echo there; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(left, 'exit')
  await once(left.stdout, 'data')
  await mounts.unmountAll()
  expect([(await ended)[1], existsSync(join(root, 'all'))]).toEqual(['SIGKILL', false])
})

test.runIf(isRoot)('somebody else who is about to leave is waited for, named, and not ended', async () => {
  await mounts.mount('tmpfs', '', { type: 'tmpfs' })
  mkdirSync(join(root, 'inner'))
  const guest = spawn('sh', ['-c', 'echo there; read _'], { cwd: join(root, 'inner'), stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = once(guest, 'exit')
  await once(guest.stdout, 'data')
  expect(usersOf(root)).toEqual([`sh (${guest.pid}, cwd)`])
  const unmounted = mounts.unmountAll()
  await new Promise((resolve) => setTimeout(resolve, 300))
  guest.stdin.end('\n')
  await unmounted
  expect((await ended)[0]).toBe(0)
})

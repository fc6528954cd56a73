import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { installDebianPackages } from '../../agent/image/needs.ts'

/** As `apt-get update` does. */
const HOLD = 'import fcntl, time\nlock = open("/var/lib/apt/lists/lock", "w")\nfcntl.lockf(lock, fcntl.LOCK_EX)\nprint("held", flush=True)\ntime.sleep(3)'

test('an apt that is at work elsewhere on this machine is waited for', async () => {
  const holder = spawn('python3', ['-c', HOLD], { stdio: ['ignore', 'pipe', 'inherit'] })
  const released = once(holder, 'exit')
  let isReleased = false
  void released.then(() => (isReleased = true))
  await once(holder.stdout, 'data')
  const said: string[] = []
  // It is there already.
  const outcome = await installDebianPackages(['git'], { signal: AbortSignal.timeout(300_000), onProgress: line => said.push(line) })
  expect([outcome.kind, isReleased]).toEqual(['installed', true])
  expect(said).toEqual(['reading the package indexes', 'installing git'])
  await released
})

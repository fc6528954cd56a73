import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TaskContext, TaskEnd } from '../../../../agent/node/executor.ts'
import { runDry } from '../../../../agent/node/tasks/dry-run.ts'
import type { DryRunTask } from '../../../../schemas/protocol.ts'

const CANARY = 'canary-5f1d0c-value'
let folder: string
let lines: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-dry-'))
  lines = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Asks what `run` would do, of a role whose preview is a script. */
async function ask(script: string, over: Partial<DryRunTask> = {}): Promise<TaskEnd> {
  const server = createServer((_request, response) => response.end(script))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const context: TaskContext = { signal: AbortSignal.timeout(15_000), output: (stream, line) => void lines.push(`${stream} ${line}`), disks: () => undefined, started: () => undefined, onAcknowledged: () => undefined }
  const file = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`, sha256: createHash('sha256').update(script).digest('hex'), bytes: Buffer.byteLength(script) }
  const task: DryRunTask = {
    kind: 'dry-run', attempt: '1/d/r@n1/dry-run/1', step: 'd/r@n1', jig: 'script', entry: 'run.sh', preview: 'preview.sh', packages: [], repository: null, provides: {}, timeout: 60,
    content: ['run.sh', 'preview.sh'].map((path) => ({ path, mode: '0755', file })), document: { wants: { key: CANARY }, crowbar: { action: 'run' } }, sensitive: ['/wants/key'], mask: [CANARY], ...over,
  }
  try {
    return await runDry(task, { folders: { work: join(folder, 'work'), cache: join(folder, 'cache') }, context })
  } finally {
    server.close()
  }
}

test('a preview says a line for each change, without secrets, and is told why it runs', async () => {
  expect(await ask(`#!/bin/sh\necho "$CROWBAR_ACTION: would write $(crowbar-get wants.key) into /etc/x"\necho and restart\n`)).toEqual({
    outcome: 'succeeded', provides: {}, foreseen: [
      { what: 'preview.sh', at: null, effect: 'change', detail: 'preview: would write [redacted] into /etc/x' },
      { what: 'preview.sh', at: null, effect: 'change', detail: 'and restart' },
    ],
  })
  expect(lines.join()).not.toContain(CANARY)
  expect(readdirSync(join(folder, 'work'))).toEqual([])
})

test('a preview that says unchanged foresees nothing; one that fails, or is not there, leaves the effect unknown', async () => {
  expect(await ask('#!/bin/sh\necho looked\ncrowbar-unchanged\n')).toEqual({ outcome: 'unchanged', provides: {}, foreseen: [] })
  expect((await ask('#!/bin/sh\nexit 3\n')).foreseen).toEqual([{ what: 'run.sh', at: null, effect: 'unknown', detail: 'preview.sh ended with exit code 3' }])
  const mark = join(folder, 'ran')
  expect((await ask(`#!/bin/sh\n: > ${mark}\n`, { preview: null })).foreseen).toEqual([{ what: 'run.sh', at: null, effect: 'unknown', detail: expect.stringContaining('preview') as string }])
  expect(existsSync(mark)).toBe(false)
})

test('packages that are not there would be installed, and are not; a tool that is not there leaves the effect unknown', async () => {
  const { foreseen } = await ask('x\n', { jig: 'chef', entry: 'cookbooks/a/recipes/b.rb', preview: null, content: [], packages: ['dpkg', 'no-such-package'] }).catch((error: unknown) => ({ foreseen: error }))
  expect(foreseen).toMatchObject({ code: 'CONTENT_INVALID' })
  const script = '#!/bin/sh\ncrowbar-unchanged\n'
  expect((await ask(script, { packages: ['dpkg', 'no-such-package=1.0'] })).foreseen).toEqual([{ what: 'packages', at: null, effect: 'change', detail: 'would be installed, with what they need: no-such-package' }])
  const content = [{ path: 'cookbooks/a/recipes/b.rb', mode: '0644' as const, file: { url: 'http://127.0.0.1:1/', sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', bytes: 0 } }]
  const chef = await ask('', { jig: 'chef', entry: 'cookbooks/a/recipes/b.rb', preview: null, content }).catch((error: unknown) => error)
  expect(chef).toMatchObject({ foreseen: [{ effect: 'unknown', detail: 'its tool is not on the node yet' }] })
})

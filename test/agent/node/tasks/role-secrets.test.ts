import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TaskContext } from '../../../../agent/node/executor.ts'
import { runRole } from '../../../../agent/node/tasks/role.ts'
import type { RoleTask } from '../../../../schemas/protocol.ts'

const CANARY = 'canary-5f1d0c-value'
let folder: string
let lines: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-role-'))
  lines = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a shell script as a role that is given a URL with a secret in it. */
async function run(script: string, provides: RoleTask['provides'] = {}, action = 'run', { unasked = false, onDisk }: { readonly unasked?: boolean; readonly onDisk?: string } = {}): Promise<unknown> {
  const server = createServer((_request, response) => response.end(script))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const context: TaskContext = { signal: AbortSignal.timeout(15_000), output: (stream, line) => void lines.push(`${stream} ${line}`), disks: () => undefined, started: () => undefined, onAcknowledged: () => undefined }
  const task: RoleTask = {
    kind: 'role', attempt: '1/d/r@n1/1', step: 'd/r@n1', jig: 'script', entry: 'run.sh', packages: [], repository: null, provides, timeout: 60,
    content: [{ path: 'run.sh', mode: '0755', file: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/run.sh`, sha256: createHash('sha256').update(script).digest('hex'), bytes: Buffer.byteLength(script) } }],
    document: { wants: { url: `db://app:${CANARY}@db` }, crowbar: { action } }, sensitive: ['/wants/url'], mask: [CANARY],
  }
  try {
    return await runRole(task, { folders: { work: join(folder, 'work'), cache: join(folder, 'cache'), ...(onDisk === undefined ? {} : { onDisk }) }, context, unasked })
  } finally {
    server.close()
  }
}

test('a secret is masked in output also where it stands by itself, and nothing of it stays on the disk', async () => {
  expect(await run(`crowbar-get wants.url; echo; echo alone ${CANARY}; echo ${CANARY} >&2\n`)).toEqual({ outcome: 'succeeded', provides: {} })
  expect(lines).toEqual(['stdout [redacted]', 'stdout alone [redacted]', 'stderr [redacted]'])
  expect(readdirSync(join(folder, 'work'))).toEqual([])
})

test('a value that holds a secret is provided only where the role says that it is sensitive', async () => {
  const provide = `crowbar-provide dsn "x:${CANARY}"\n`
  expect(await run(provide, { dsn: { type: 'string', sensitive: true } })).toMatchObject({ provides: { dsn: `x:${CANARY}` } })
  const refused = await run(provide, { dsn: { type: 'string', sensitive: false } }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'PROVIDE_SECRET', message: expect.stringContaining('dsn holds a secret') as string })
  expect(String(refused)).not.toContain('canary')
})

test('a failure says nothing of a secret either', async () => {
  const refused = await run(`printf '${CANARY}' > "$CROWBAR_PROVIDES/dsn.json"\n`, { dsn: { type: 'map', sensitive: true } }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'JIG_RESULT' })
  expect(String(refused)).not.toContain('canary')
})

test('a check may say what the role provides also where nobody asks for it, as a gate does not', async () => {
  const provide = 'crowbar-provide mark one\n'
  expect(await run(provide, {}, 'check')).toMatchObject({ outcome: 'succeeded', provides: {} })
  // An operation runs it once more, as it is.
  expect(await run(provide, {}, 'run', { unasked: true })).toMatchObject({ outcome: 'succeeded', provides: {} })
  expect(await run(provide, { mark: { type: 'string', sensitive: false } }, 'check')).toMatchObject({ provides: { mark: 'one' } })
  await expect(run(provide)).rejects.toMatchObject({ code: 'PROVIDE_UNDECLARED' })
})

test('where there is no folder in memory, a role with secrets is refused before anything is written', async () => {
  const refused = await run(`touch ${folder}/ran\n`, {}, 'run', { onDisk: 'mount: permission denied' }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'WORK_ON_DISK', message: expect.stringContaining('mount: permission denied') as string })
  expect([readdirSync(folder).includes('ran'), readdirSync(join(folder, 'work'))]).toEqual([false, []])
})

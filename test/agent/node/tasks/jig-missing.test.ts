import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TaskContext } from '../../../../agent/node/executor.ts'
import { runRole } from '../../../../agent/node/tasks/role.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-missing-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test.each([
  ['chef', 'cookbooks/a/recipes/b.rb', 'chef-solo'],
  ['salt', 'states/a.sls', 'salt-call'],
])('a role of %s says which program the node lacks, and what brings it', async (jig, entry, program) => {
  const text = '# nothing\n'
  const server = createServer((_request, response) => response.end(text))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const file = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`, sha256: createHash('sha256').update(text).digest('hex'), bytes: text.length }
  const context: TaskContext = { signal: AbortSignal.timeout(15_000), output: () => undefined, disks: () => undefined, started: () => undefined, onAcknowledged: () => undefined }
  try {
    await expect(runRole(
      { kind: 'role', attempt: '1/d/r@n1/1', step: 'd/r@n1', jig, entry, packages: [], repository: null, provides: {}, timeout: 60, content: [{ path: entry, mode: '0644', file }], document: {}, sensitive: [] },
      { folders: { work: join(folder, 'work'), cache: join(folder, 'cache') }, context },
    )).rejects.toMatchObject({ code: 'JIG_MISSING', message: expect.stringMatching(new RegExp(`${program}.*${entry.replaceAll('.', '\\.')} runs by the jig ${jig}; bring its tool with \`packages\``)) as unknown })
  } finally {
    server.close()
  }
})

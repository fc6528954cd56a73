import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RoleTask } from '../../../../schemas/protocol.ts'
import { removeTree } from '../../../../agent/node/remove-tree.ts'
import { runProgram } from '../../../../agent/node/run-program.ts'
import { runRole } from '../../../../agent/node/tasks/role.ts'

const signal = AbortSignal.timeout(20_000)
const isRoot = process.getuid?.() === 0
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-mounted-'))
  await mkdir(join(folder, 'precious'))
  await writeFile(join(folder, 'precious', 'data'), 'irreplaceable')
})
afterEach(async () => {
  // Never through a mount that a failing test left.
  const left = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '').filter((path) => path.startsWith(folder))
  for (const path of left.toReversed()) await runProgram(['umount', '-l', path], { signal })
  await rm(folder, { recursive: true, force: true })
})

test.runIf(isRoot)('what a role mounted in its folder and left there outlives the folder', async () => {
  const script = `#!/bin/sh\nmkdir -p mnt/deep && mount --bind ${join(folder, 'precious')} mnt && exit 3\n`
  await using server = await serve(script)
  const output: string[] = []
  const context = { signal, output: (_: string, line: string) => void output.push(line), disks: () => undefined, started: () => undefined, onAcknowledged: () => undefined }
  const folders = { work: join(folder, 'work'), cache: join(folder, 'cache') }
  const ended = await runRole(task(script, server.url), { folders, context }).catch((error: unknown) => error)
  expect(await readFile(join(folder, 'precious', 'data'), 'utf8')).toBe('irreplaceable')
  expect(ended).toMatchObject({ code: 'JIG_EXIT' })
  expect(await readdir(folders.work)).toEqual([])
})

test.runIf(isRoot)('a folder is removed without what is mounted below it, also when its name leads over a link', async () => {
  await mkdir(join(folder, 'real', 'tree', 'mnt'), { recursive: true })
  await symlink(join(folder, 'real'), join(folder, 'link'))
  await runProgram(['mount', '--bind', join(folder, 'precious'), join(folder, 'real', 'tree', 'mnt')], { signal })
  await removeTree(join(folder, 'link', 'tree'))
  expect(await readFile(join(folder, 'precious', 'data'), 'utf8')).toBe('irreplaceable')
})

async function serve(text: string) {
  const server = createServer((_request, response) => response.end(text))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/run.sh`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function task(script: string, url: string): RoleTask {
  const sha256 = createHash('sha256').update(script).digest('hex')
  return {
    kind: 'role', attempt: '1/d/a@n1/1', step: 'd/a@n1', jig: 'script', entry: 'run.sh', content: [{ path: 'run.sh', mode: '0755', file: { url, sha256, bytes: Buffer.byteLength(script) } }],
    document: {}, sensitive: [], packages: [], repository: null, provides: {}, timeout: 60,
  }
}

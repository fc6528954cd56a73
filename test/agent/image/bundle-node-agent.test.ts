import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bundleNodeAgent } from '../../../agent/image/bundle-node-agent.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-bundle-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** An agent of two sources that needs a CommonJS package and waits at the top level. */
async function writeAgent(into: string): Promise<string> {
  await writeFile(join(into, 'greeting.ts'), "export const greeting: string = 'hello'\n")
  await writeFile(join(into, 'main.ts'), [
    `import WebSocket from '${resolve(ROOT, 'node_modules/ws/wrapper.mjs')}'`, "import { greeting } from './greeting.ts'",
    "const said = await Promise.resolve(greeting)", "console.log(said, typeof WebSocket, WebSocket.OPEN)", '',
  ].join('\n'))
  return join(into, 'main.ts')
}

test('a bundle runs alone, with what it imports inside', async () => {
  const bundle = await bundleNodeAgent(await writeAgent(folder))
  await rm(folder, { recursive: true })
  const place = await mkdtemp(join(tmpdir(), 'crowbar-bundle-'))
  folder = place
  await writeFile(join(place, 'node-agent.js'), bundle)
  await writeFile(join(place, 'package.json'), '{"type":"module"}\n')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(place, 'node-agent.js')], { cwd: '/' })
  expect(stdout).toBe('hello function 1\n')
  expect(stderr).toBe('')
})

test('the same sources give the same bytes in any folder, and none of its path', async () => {
  const other = await mkdtemp(join(tmpdir(), 'crowbar-elsewhere-'))
  try {
    const bundle = await bundleNodeAgent(await writeAgent(folder))
    expect(await bundleNodeAgent(await writeAgent(other))).toEqual(bundle)
    for (const path of [folder, ROOT, dirname(folder)]) expect(bundle.includes(path), path).toBe(false)
  } finally {
    await rm(other, { recursive: true })
  }
})

test('a source that cannot be bundled is named with its line', async () => {
  await writeFile(join(folder, 'main.ts'), "import './not-there.ts'\n")
  await expect(bundleNodeAgent(join(folder, 'main.ts'))).rejects.toMatchObject({ code: 'BUNDLE_FAILED', message: expect.stringMatching(/main\.ts:1: Could not resolve "\.\/not-there\.ts"/) })
})

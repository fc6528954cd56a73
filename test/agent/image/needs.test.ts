import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { installDebianPackages, missingHostPackages } from '../../../agent/image/needs.ts'
import type { HostNeed } from '../../../agent/image/needs.ts'

const NEEDS: readonly HostNeed[] = [
  { program: 'here', package: 'present', because: '' }, { program: 'gone', package: 'zzz', because: '' },
  { program: 'lost', package: 'aaa', because: '' }, { program: 'lost-too', package: 'aaa', because: '' },
]

test('packages whose programs are not on the path are missing, each once, sorted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-needs-'))
  try {
    await writeFile(join(folder, 'here'), '')
    await chmod(join(folder, 'here'), 0o755)
    expect(await missingHostPackages(NEEDS, `/nowhere:${folder}`)).toEqual(['aaa', 'zzz'])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('who is not root is given the line to run, and nothing happens', async () => {
  const outcome = await installDebianPackages(['mmdebstrap', 'kmod'], { signal: AbortSignal.abort(), onProgress: () => undefined, isRoot: false })
  expect(outcome).toEqual({
    kind: 'needs-root', names: ['mmdebstrap', 'kmod'], command: 'sudo apt-get update && sudo apt-get install --yes --no-install-recommends mmdebstrap kmod',
  })
})

test('with nothing missing nothing is run', async () => {
  expect(await installDebianPackages([], { signal: AbortSignal.abort(), onProgress: () => undefined })).toEqual({ kind: 'nothing-missing' })
})

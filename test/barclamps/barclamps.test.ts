import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { crowbarHere } from '../compiler/cli/in-process.ts'

const FOLDER = fileURLToPath(new URL('../../barclamps', import.meta.url))
/** Every builtin barclamp that offers roles. */
const NAMES = readdirSync(FOLDER).filter((name) => name !== 'debian').toSorted()

describe.each(NAMES)('%s', (name) => {
  const dir = join(FOLDER, name)

  test('its cases pass', async () => {
    const { status, stdout } = await crowbarHere(['barclamp', 'test', dir])
    expect(stdout.split('\n').filter((line) => line !== '' && !line.startsWith('ok '))).toEqual([])
    expect(status).toBe(0)
  })

  test('lint finds nothing', async () => {
    expect(await crowbarHere(['barclamp', 'lint', dir])).toMatchObject({ status: 0, stdout: '' })
  })
})

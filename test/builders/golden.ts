import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect } from 'vitest'

/**
 * Compares text with a file beside the tests. With CROWBAR_ACCEPT=1 (`npm run accept`) a file that differs is rewritten
 * and the test fails all the same: nothing passes by being accepted.
 */
export function expectGolden(text: string, file: URL): void {
  const golden = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (golden !== text && process.env['CROWBAR_ACCEPT'] === '1') {
    mkdirSync(dirname(file.pathname), { recursive: true })
    writeFileSync(file, text)
  }
  expect(text).toBe(golden)
}

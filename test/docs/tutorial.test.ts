import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const BIN = fileURLToPath(new URL('../../bin', import.meta.url))

test('every command of the tutorial runs as it is written, one after the other', () => {
  const text = readFileSync(new URL('../../docs/tutorial.md', import.meta.url), 'utf8')
  const script = [...text.matchAll(/^```sh\n(?<commands>.*?)^```$/gms)].map(({ groups }) => groups?.['commands'] as string).join('')
  // `command # exit 1` has to end like that.
  const checked = script.replaceAll(/^(?<command>crowbar .*?) +# exit (?<code>\d)$/gm, 'code=0; $<command> || code=$?; [ "$code" -eq $<code> ]')
  expect(checked).not.toBe(script)
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-tutorial-'))
  try {
    const { status, stdout, stderr } = spawnSync('sh', ['-euc', checked], { cwd: folder, encoding: 'utf8', env: { PATH: `${BIN}:${process.env['PATH'] ?? ''}`, HOME: folder } })
    expect([status, status === 0 ? '' : stderr]).toEqual([0, ''])
    expect(stdout).toContain('Did you mean user?')
    expect(stdout).toContain('token/user on node2  after install, token/maker@node1')
    expect(stdout).toContain('wants.token = (string, known later: token of token/maker@node1)')
    expect(stdout).toContain('token.length')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 120_000)

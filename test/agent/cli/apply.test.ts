import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serveControl } from '../../../agent/control/serve-control.ts'
import type { ControlOperations } from '../../../agent/control/serve-control.ts'
import type { LogEvent } from '../../../agent/log/event-types.ts'
import type { ApplyAnswer, Status } from '../../../schemas/control.ts'

const CROWBAR = fileURLToPath(new URL('../../../bin/crowbar', import.meta.url))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-apply-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const STARTED: ApplyAnswer = { outcome: 'started', denied: false, run: 3, commit: 'c', steps: 1, message: 'run 3', diagnostics: [] }
const STATUS = { agent: { node: 'admin', epoch: 1, frozen: false, ready: true }, site: { repository: 'r', branch: 'main', commit: 'c', state: 'good', reason: null }, run: null, held: null, nodes: [], machines: [], steps: [], refusals: [], approvals: [], rollouts: [] } as unknown as Status

type Said = { readonly [K in 'type' | 'data' | 'seq']: K extends 'seq' ? number : unknown }
const ended = (state: string): Said => ({ seq: 8, type: 'run.ended', data: { run: 3, state, reason: '', succeeded: 1, unchanged: 0, failed: 0, skipped: 0, waiting: 0 } })
const published = (upTo: number): Said => ({ seq: 9, type: 'ledger.published', data: { commit: 'abcdef0123456789', run: 3, upTo } })

/** Runs `crowbar apply` against an agent that answers this and then says that. */
async function apply(answer: ApplyAnswer, said: readonly Said[], status: Partial<Status> = {}): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const socket = join(folder, 'control.sock')
  const agent: Partial<ControlOperations> = {
    apply: () => Promise.resolve(answer),
    sequence: () => Promise.resolve(7),
    status: () => Promise.resolve({ ...STATUS, ...status }),
    async *events({ signal }) {
      yield* said as unknown as readonly LogEvent[]
      await new Promise(resolve => signal.addEventListener('abort', resolve))
    },
  }
  await using _server = await serveControl(socket, agent as ControlOperations)
  return await new Promise(resolve => {
    execFile(CROWBAR, ['apply', '--socket', socket], (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }))
  })
}

test('the end of a run is told when its ledger is published, and not when an older one is', async () => {
  const { code, stdout } = await apply(STARTED, [published(5), ended('complete'), published(7), published(8), { seq: 10, type: 'freeze.off', data: { by: 'nobody' } }])
  expect(code).toBe(0)
  expect(stdout.split('\n').filter(line => line.startsWith('ledger published'))).toHaveLength(3)
  expect(stdout).not.toContain('thawed')
})

test('partial is not done: 1 while machines are missing, 3 when a person has to move', async () => {
  expect((await apply(STARTED, [ended('partial'), published(8)])).code).toBe(1)
  const approval = { step: 'install@web', node: 'web', machine: 'm-1', disks: [{ id: 'serial:S1', serial: 'S1', bytes: 4e9, summary: 'ext4' }], code: '0123456789abcdef' }
  const { code, stderr } = await apply(STARTED, [ended('partial'), published(8)], { approvals: [approval] })
  expect(code).toBe(3)
  expect(stderr).toContain('  S1  4.0 GB  ext4\n  crowbar approve install@web --seen 0123456789abcdef\n')
  expect((await apply(STARTED, [ended('failed'), published(8)])).code).toBe(1)
})

test('what a policy denies is refused, and is no mistake of the site', async () => {
  const refused: ApplyAnswer = { ...STARTED, outcome: 'refused', run: null, message: 'by-hand: not like this' }
  expect((await apply({ ...refused, denied: true }, [])).code).toBe(3)
  expect((await apply(refused, [])).code).toBe(1)
})

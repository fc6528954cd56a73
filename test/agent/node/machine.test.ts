import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TaskContext } from '../../../agent/node/executor.ts'
import { openMachine } from '../../../agent/node/machine.ts'
import type { RoleTask } from '../../../schemas/protocol.ts'

const TASK: RoleTask = { kind: 'role', attempt: '1/d/r@n1/1', step: 'd/r@n1', jig: 'noop', entry: '', content: [], document: {}, sensitive: [], packages: [], repository: null, provides: {}, timeout: 10 }

test.each([
  ['the discovery image looks at the machine and its disks again after a role, however that ended', 'discovery', TASK, ['disks with facts']],
  ['the same where the role failed', 'discovery', { ...TASK, jig: 'nothing-of-the-kind' }, ['disks with facts', 'failed']],
  ['an installed system does not', 'installed', TASK, []],
] as const)('%s', async (_, environment, task, expected) => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-machine-'))
  try {
    const { signal } = new AbortController()
    const machine = await openMachine({ environment, work: join(folder, 'work'), cache: join(folder, 'cache'), runtime: { node: '', bundle: '' }, time: null, loopDisks: 'loop4000000=NONE', arch: process.arch, signal })
    const said: string[] = []
    const context: TaskContext = { signal, output: () => undefined, started: () => undefined, onAcknowledged: () => undefined, disks: (disks, facts) => said.push(`disks${facts?.memory === undefined ? '' : ' with facts'}${disks.length === 0 ? '' : ' and some'}`) }
    await machine.run(task, context).catch(() => said.push('failed'))
    expect(said).toEqual(expected)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('an admin node that is asked to be installed refuses, whatever the agent believes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crowbar-machine-'))
  try {
    const { signal } = new AbortController()
    const machine = await openMachine({ environment: 'installed', rolesOnly: true, work: join(folder, 'work'), cache: join(folder, 'cache'), runtime: { node: '', bundle: '' }, time: null, loopDisks: 'loop4000000=NONE', arch: process.arch, signal })
    const context = { signal } as TaskContext
    for (const kind of ['install', 'reboot', 'upgrade', 'inspect'] as const) await expect(machine.run({ kind } as never, context)).rejects.toMatchObject({ code: 'INSTALL_UNSUPPORTED' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

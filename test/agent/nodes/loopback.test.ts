import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openContentServer, openLoopback, startAgent } from './loopback.ts'
import type { Loopback } from './loopback.ts'

const session = (loopback: Loopback) => {
  const found = loopback.server.sessions.session('m1')
  if (found === undefined) throw new Error('m1 is not connected')
  return found
}

async function appears(file: string): Promise<string> {
  for (let i = 0; i < 1200; i++) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text !== '') return text
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`${file} did not appear`)
}

/** Resolves when the process is gone, or is only waiting for somebody to take note of its end. */
async function ends(pid: number): Promise<void> {
  for (let i = 0; i < 1200; i++) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ') Z')
    if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`process ${pid} still runs`)
}

test('a node enrols, runs a role with its document, and what it provides comes back as it was given', async () => {
  await using loopback = await openLoopback()
  await using content = await openContentServer()
  await using agent = await startAgent(loopback)
  const connected = await loopback.untilType('enrolled')
  expect(connected).toMatchObject({ machine: 'm1', environment: 'installed' })
  await loopback.untilType('connected')
  const script = '#!/bin/sh\nset -e\n. "$CROWBAR_ATTRIBUTES"\necho "greeting: $web_greeting; password $web_password"\ncrowbar-provide token "$(crowbar-get wants.seed)x"\ncrowbar-provide port --json 8080\n'
  session(loopback).send(content.role(script, {
    document: { web: { greeting: "it's", password: 'hunter22' }, wants: { seed: 'a"b' } }, sensitive: ['/web/password'],
    provides: { token: { type: 'string', sensitive: true }, port: { type: 'integer', sensitive: false } },
  }))
  const { result } = await loopback.untilType('result')
  expect(result).toMatchObject({ attempt: '1/d/r@n1/1', outcome: 'succeeded', code: null, provides: { token: 'a"bx', port: 8080 } })
  const output = loopback.events.filter((event) => event.type === 'output').map(({ text }) => text).join('')
  expect(output).toBe("greeting: it's; password [redacted]\n")
  expect(agent.log()).not.toContain('hunter22')
})

test('a task delivered twice runs once, and its result is sent again', async () => {
  await using loopback = await openLoopback()
  await using content = await openContentServer()
  await using agent = await startAgent(loopback)
  await loopback.untilType('connected')
  const task = content.role(`#!/bin/sh\necho once >> ${agent.state}/effect\n`)
  session(loopback).send(task)
  session(loopback).send(task)
  await loopback.untilType('result')
  const from = loopback.events.length
  session(loopback).send(task)
  expect((await loopback.untilType('result', from)).result.outcome).toBe('succeeded')
  expect(await readFile(join(agent.state, 'effect'), 'utf8')).toBe('once\n')
})

test('a role outlives the death of the agent that sent it; the result waits for the next one until it is acknowledged', async () => {
  await using loopback = await openLoopback()
  await using content = await openContentServer()
  await using agent = await startAgent(loopback)
  await loopback.untilType('connected')
  session(loopback).send(content.role(`#!/bin/sh\necho started > ${agent.state}/started\nwhile [ ! -e ${agent.state}/go ]; do sleep 0.05; done\necho once >> ${agent.state}/effect\n`))
  await appears(join(agent.state, 'started'))
  const from = loopback.events.length
  await loopback.restart()
  const again = await loopback.until((event) => event.type === 'connected' && 'session' in event, from) as { readonly session: { readonly journal: ReadonlyMap<string, unknown> } }
  expect(again.session.journal.get('1/d/r@n1/1')).toMatchObject({ state: 'running' })
  await writeFile(join(agent.state, 'go'), 'go')
  expect((await loopback.untilType('result', from)).result.outcome).toBe('succeeded')
  const later = loopback.events.length
  await loopback.restart()
  expect((await loopback.untilType('result', later)).result.outcome).toBe('succeeded')
  session(loopback).acknowledge('1/d/r@n1/1')
  expect(await readFile(join(agent.state, 'effect'), 'utf8')).toBe('once\n')
})

test('a node agent killed in the middle of a role says so, has ended what it left, and never repeats the attempt', async () => {
  await using loopback = await openLoopback()
  await using content = await openContentServer()
  await using agent = await startAgent(loopback)
  await loopback.untilType('connected')
  const task = content.role(`#!/bin/sh\necho $$ > ${agent.state}/pid\necho once >> ${agent.state}/effect\nsleep 300\n`)
  session(loopback).send(task)
  const pid = Number(await appears(join(agent.state, 'pid')))
  await agent.kill()
  await loopback.untilType('disconnected')
  const from = loopback.events.length
  agent.start()
  const again = await loopback.until((event) => event.type === 'connected' && 'session' in event, from) as { readonly session: { readonly journal: ReadonlyMap<string, unknown> } }
  expect(again.session.journal.get(task.attempt)).toEqual({ attempt: task.attempt, state: 'started', result: null })
  await ends(pid)
  session(loopback).send(task)
  expect((await loopback.untilType('result', from)).result).toMatchObject({ outcome: 'failed', code: 'INTERRUPTED' })
  expect(await readFile(join(agent.state, 'effect'), 'utf8')).toBe('once\n')
})

test('a role is cancelled with all that it started, and one that takes too long is ended', async () => {
  await using loopback = await openLoopback()
  await using content = await openContentServer()
  await using agent = await startAgent(loopback)
  await loopback.untilType('connected')
  session(loopback).send(content.role(`#!/bin/sh\nsleep 300 &\necho $! > ${agent.state}/pid\nwait\n`))
  const pid = Number(await appears(join(agent.state, 'pid')))
  session(loopback).cancel('1/d/r@n1/1')
  expect((await loopback.untilType('result')).result).toMatchObject({ outcome: 'cancelled', code: 'CANCELLED' })
  await ends(pid)
  const from = loopback.events.length
  session(loopback).send(content.role('#!/bin/sh\nsleep 300\n', { attempt: '1/d/r@n1/2', timeout: 1 }))
  expect((await loopback.untilType('result', from)).result).toMatchObject({ outcome: 'failed', code: 'TIMEOUT' })
})

test('what a role prints arrives whole and in order, and before its result', async () => {
  await using loopback = await openLoopback()
  await using content = await openContentServer()
  await using _agent = await startAgent(loopback)
  await loopback.untilType('connected')
  session(loopback).send(content.role('#!/bin/sh\nseq 1 60000\n'))
  expect((await loopback.untilType('result')).result.outcome).toBe('succeeded')
  const last = loopback.events.findIndex(({ type }) => type === 'result')
  const output = loopback.events.slice(0, last).filter((event) => event.type === 'output').map(({ text }) => text).join('')
  expect(output).toBe(Array.from({ length: 60_000 }, (_, index) => `${index + 1}\n`).join(''))
})

test('a role that does not say what it declares, or says it in another type, fails', async () => {
  await using loopback = await openLoopback()
  await using content = await openContentServer()
  await using _agent = await startAgent(loopback)
  await loopback.untilType('connected')
  const provides = { port: { type: 'integer', sensitive: false } }
  const codeOf = async (n: number, script: string, over: object = {}): Promise<string | null> => {
    const attempt = `1/d/r@n1/${n}`
    session(loopback).send(content.role(script, { attempt, provides, ...over }))
    const { result } = await loopback.until((event): event is Extract<typeof event, { type: 'result' }> => event.type === 'result' && event.result.attempt === attempt)
    return result.code
  }
  expect(await codeOf(1, '#!/bin/sh\n')).toBe('PROVIDE_MISSING')
  expect(await codeOf(2, '#!/bin/sh\ncrowbar-provide port 80\n')).toBe('PROVIDE_TYPE')
  expect(await codeOf(3, '#!/bin/sh\ncrowbar-provide port --json 80\ncrowbar-provide other x\n')).toBe('PROVIDE_UNDECLARED')
  expect(await codeOf(4, '#!/bin/sh\nexit 7\n')).toBe('JIG_EXIT')
  expect(await codeOf(5, '#!/bin/sh\n', { jig: 'from-tomorrow' })).toBe('JIG_UNKNOWN')
  expect(await codeOf(6, '#!/bin/sh\n', { entry: 'other.sh' })).toBe('CONTENT_INVALID')
  expect(await codeOf(7, '#!/bin/sh\ncrowbar-provide port --json 80\n')).toBeNull()
})

test('the token of a boot does not let an installed system in', async () => {
  await using loopback = await openLoopback()
  const token = loopback.enrolment.issue({ kind: 'boot', mac: '52:54:00:00:00:01' }, 600)
  await using agent = await startAgent(loopback, { token })
  expect(await loopback.untilType('refused')).toMatchObject({ code: 'SUBJECT_MISMATCH', alarm: true })
  expect(agent.log()).not.toContain('"connected"')
})

test('another key with a token that was redeemed is refused and alarmed; the first goes on', async () => {
  await using loopback = await openLoopback()
  const token = loopback.enrolment.issue({ kind: 'installed', node: 'n1', incarnation: 'i1' }, 600)
  await using first = await startAgent(loopback, { token })
  await loopback.untilType('connected')
  await using second = await startAgent(loopback, { token })
  expect(await loopback.untilType('refused')).toMatchObject({ code: 'TOKEN_SPENT', alarm: true, node: 'n1' })
  expect(session(loopback).node).toBe('n1')
  expect(first.log()).not.toContain('TOKEN_SPENT')
  expect(second.state).not.toBe(first.state)
})

test('a copy of a machine that is connected and answers is refused and alarmed; once the first is gone it is let in', async () => {
  await using loopback = await openLoopback()
  await using first = await startAgent(loopback)
  await loopback.untilType('connected')
  await using _copy = await startAgent(loopback, { incarnation: 'i2' })
  expect(await loopback.untilType('refused')).toMatchObject({ code: 'MACHINE_TWICE', alarm: true })
  expect(session(loopback).incarnation).toBe('i1')
  const from = loopback.events.length
  await first.kill()
  await loopback.until((event): event is typeof event => event.type === 'connected' && 'session' in event, from)
  expect(session(loopback).incarnation).toBe('i2')
})

test('a node does not talk to a server of another certificate authority', async () => {
  await using loopback = await openLoopback()
  await using agent = await startAgent(loopback, { ca: 'ab'.repeat(32) })
  for (let i = 0; i < 1200 && !agent.log().includes('does not belong'); i++) await new Promise((resolve) => setTimeout(resolve, 25))
  expect(agent.log()).toContain('does not belong to the certificate authority abababab')
  expect(loopback.events).toEqual([])
})

test('a node that has obeyed a higher epoch does not obey a lower one, and the server of the lower one says so', async () => {
  await using loopback = await openLoopback({ epoch: 7 })
  await using agent = await startAgent(loopback)
  await loopback.untilType('connected')
  const from = loopback.events.length
  await loopback.restart({ epoch: 3 })
  for (let i = 0; i < 1200 && !agent.log().includes('lower than 7'); i++) await new Promise((resolve) => setTimeout(resolve, 25))
  expect(agent.log()).toContain("the agent's epoch 3 is lower than 7")
  expect(loopback.events.slice(from).filter(({ type }) => type === 'connected')).toEqual([])
})

test('a machine in quarantine is connected and unseen, until it is admitted', async () => {
  let admitted = false
  await using loopback = await openLoopback({
    admit: async ({ node }) => admitted ? { machine: 'm1', node, work: true } : { machine: 'm1', node, work: false, code: 'UNKNOWN', reason: 'never seen' },
  })
  await using _agent = await startAgent(loopback)
  expect(await loopback.untilType('held')).toMatchObject({ machine: 'm1', code: 'UNKNOWN' })
  expect(loopback.server.sessions.session('m1')).toBeUndefined()
  expect(loopback.server.held()).toEqual(['m1'])
  admitted = true
  await loopback.server.reconsider('m1')
  expect(session(loopback).machine).toBe('m1')
})

test('a machine whose node has another name comes back by itself, and takes that name before it takes a task; its token stays good', async () => {
  let name = 'n1'
  await using loopback = await openLoopback({ admit: async () => ({ machine: 'm1', node: name, work: true }) })
  await using content = await openContentServer()
  await using agent = await startAgent(loopback)
  await loopback.untilType('connected')
  name = 'n2'
  const from = loopback.events.length
  loopback.server.greetAgain('m1')
  expect(loopback.server.sessions.session('m1')).toBeUndefined()
  await loopback.until((event) => event.type === 'connected' && 'session' in event, from)
  const last = session(loopback)
  expect([last.node, last.incarnation]).toEqual(['n2', 'i1'])
  last.send(content.role(`#!/bin/sh\ncat ${agent.state}/host-name.json\n`))
  await loopback.untilType('result')
  expect(loopback.events.flatMap((event) => (event.type === 'output' ? [event.text] : []))).toEqual(['["n2"]\n'])
  await agent.kill()
  await loopback.untilType('disconnected', from + 1)
  const again = loopback.events.length
  agent.start()
  await loopback.until((event) => event.type === 'connected' && 'session' in event, again)
})

test('who is not what its node should be does not take its name; who is let in later does', async () => {
  let admitted = false
  await using loopback = await openLoopback({
    admit: async () => admitted ? { machine: 'm1', node: 'n5', work: true } : { machine: 'm1', node: 'n5', work: false, code: 'STALE', reason: 'another installation' },
  })
  await using agent = await startAgent(loopback)
  await loopback.untilType('held')
  admitted = true
  expect(await readFile(join(agent.state, 'host-name.json'), 'utf8').catch(() => 'none')).toBe('none')
  await loopback.server.reconsider('m1')
  expect(await appears(join(agent.state, 'host-name.json'))).toContain('n5')
})

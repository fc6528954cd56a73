import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TaskContext } from '../../agent/node/executor.ts'
import { installPackages } from '../../agent/node/tasks/packages.ts'

let work = ''
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'crowbar-packages-'))
})
afterEach(() => {
  rmSync(work, { recursive: true, force: true })
})

/** A repository without any package, on a port of its own or a given one. */
async function emptyRepository(port = 0): Promise<Server> {
  const server = createServer((request, response) => {
    response.statusCode = request.url?.endsWith('/Packages') === true ? 200 : 404
    response.end()
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return server
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}

function listening(signal: AbortSignal, heard: (stream: string, line: string) => void): TaskContext {
  return { signal, output: heard, started: () => undefined, disks: () => undefined, onAcknowledged: () => undefined }
}

test('apt is run again when the server of the packages was away, and what it then says counts', async () => {
  const first = await emptyRepository()
  const { port } = first.address() as AddressInfo
  await close(first)
  let again: Promise<Server> | undefined
  const context = listening(AbortSignal.timeout(120_000), (stream, line) => {
    if (stream === 'progress' && line.startsWith('waiting for')) again ??= emptyRepository(port)
  })
  const installing = installPackages(['no-such-package-here'], { repository: `http://127.0.0.1:${port}/apt/`, work, context })
  await expect(installing).rejects.toMatchObject({ code: 'PACKAGES_FAILED', message: expect.stringContaining('Unable to locate package no-such-package-here') as string })
  const server = await again
  expect(server).toBeDefined()
  if (server !== undefined) await close(server)
})

test('whoever waits for a server that never comes can be stopped', async () => {
  const stop = new AbortController()
  const server = await emptyRepository()
  const { port } = server.address() as AddressInfo
  await close(server)
  const context = listening(stop.signal, stream => {
    if (stream === 'progress') stop.abort(new Error('enough'))
  })
  await expect(installPackages(['no-such-package-here'], { repository: `http://127.0.0.1:${port}/apt/`, work, context })).rejects.toThrow()
})

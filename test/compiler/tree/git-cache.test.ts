import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { askRemote, fetchCommit, readKept } from '../../../compiler/tree/git-cache.ts'
import type { GitCacheOptions } from '../../../compiler/tree/git-cache.ts'
import { gitWorld, makeRepository } from '../../builders/git-repository.ts'

const optionsIn = (folder: string, more: Partial<GitCacheOptions> = {}): GitCacheOptions => ({ folder: join(folder, 'cache'), environment: process.env, watched: false, fetchMs: 15_000, maxKib: 1024 * 1024, ...more })

describe('a repository elsewhere', () => {
  test('is asked for a tag before a branch of the same name, and for nothing that only ends like it', () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'))
    const first = repository.commit({ a: '1' })
    repository.git('tag', '--annotate', '--message', 'x', 'v1')
    const second = repository.commit({ a: '2' })
    repository.git('branch', 'v1')
    repository.git('branch', 'team/main')
    const options = optionsIn(world.folder)
    const ask = (ref: string) => askRemote(repository.folder, ref, options)
    expect(ask('v1')).toEqual({ kind: 'commit', commit: first })
    expect(ask('refs/heads/v1')).toEqual({ kind: 'commit', commit: second })
    expect(ask('HEAD')).toEqual({ kind: 'commit', commit: second })
    repository.git('checkout', '--quiet', 'v1')
    repository.git('branch', '--delete', '--force', 'main')
    expect(ask('main')).toEqual({ kind: 'absent' })
    expect(askRemote(join(world.folder, 'nowhere'), 'main', options)).toMatchObject({ kind: 'failed', message: expect.stringContaining('git ls-remote said: ') as string })
  })

  test('gives a commit that no ref leads to by itself, also when it only tells what its refs lead to', () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'))
    const old = repository.commit({ a: '1' })
    repository.commit({ a: '2' })
    writeFileSync(join(world.folder, 'gitconfig'), '[protocol]\n\tversion = 0\n')
    const options = optionsIn(world.folder)
    expect(fetchCommit(repository.folder, old, options)).toBeUndefined()
    expect(new TextDecoder().decode(readKept(old, '', options)?.tree.files.get('a')?.bytes())).toBe('1')
  })

  test('may count in SHA-256', () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'), undefined, 'sha256')
    const commit = repository.commit({ a: '1' })
    expect(commit.length).toBe(64)
    const options = optionsIn(world.folder)
    expect(fetchCommit(repository.folder, commit, options)).toBeUndefined()
    expect([...(readKept(commit, '', options)?.tree.files.keys() ?? [])]).toEqual(['a'])
  })

  test('keeps nothing here when it has no such commit, is too large, or does not answer', async () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'))
    const commit = repository.commit({ a: randomBytes(300_000).toString('base64') })
    const options = optionsIn(world.folder)
    expect(fetchCommit(repository.folder, 'a'.repeat(40), options)).toBe('the repository has no such commit (any more)')
    expect(fetchCommit(repository.folder, commit, { ...options, maxKib: 100 })).toMatch(/^git fetch /)
    const silent = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as AddressInfo
    expect(fetchCommit(`git://127.0.0.1:${port}/b.git`, commit, { ...options, fetchMs: 300 })).toBe('git fetch took longer than 0.3 s')
    silent.close()
    expect(readdirSync(options.folder)).toEqual([])
    expect(readKept(commit, '', options)).toBeUndefined()
    expect(fetchCommit(repository.folder, commit, options)).toBeUndefined()
  })

  test('runs nothing: no other program for a protocol, and no hook of whoever fetches', () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'))
    const commit = repository.commit({ a: '1' })
    const ran = join(world.folder, 'ran')
    const hooks = join(world.folder, 'hooks')
    makeRepository(hooks).commit({ 'reference-transaction': `#!/bin/sh\ntouch ${ran}\n` })
    writeFileSync(join(world.folder, 'gitconfig'), `[core]\n\thooksPath = ${hooks}\n[url "ext::sh -c 'touch ${ran}'"]\n\tinsteadOf = https://git.example.com/evil.git\n`)
    const options = optionsIn(world.folder)
    expect(fetchCommit(repository.folder, commit, options)).toBeUndefined()
    expect(askRemote('https://git.example.com/evil.git', 'main', options)).toMatchObject({ kind: 'failed', message: expect.stringContaining("transport 'ext' not allowed") as string })
    expect(existsSync(ran)).toBe(false)
  })
})

import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const JOINED = `---
kind: os
name: debian-12-joined
family: debian
version: "12"
architecture: amd64
install: joined
source: debian-bookworm
`

/**
 * A repository with site-examples/first-light, its machines as containers can stand for them: installed already, and known
 * by their port. All else is as it is there.
 */
export function joinedFirstLight(folder: string): void {
  copyOf('first-light', folder)
  const nodes = readFileSync(join(folder, 'nodes.yaml'), 'utf8')
  const edited = nodes.replaceAll('os: debian-12\n', 'os: debian-12-joined\n').replace(/machine: \{ where: .*\}/, 'machine: { mac: "52:54:00:12:4d:02" }')
  if (edited === nodes) throw new Error('site-examples/first-light is not what it was')
  writeFileSync(join(folder, 'nodes.yaml'), edited)
  appendFileSync(join(folder, 'site.yaml'), JOINED)
  commit(folder)
}

/** A repository with one of site-examples, as it is there. */
export function exampleRepository(example: string, folder: string): void {
  copyOf(example, folder)
  commit(folder)
}

function copyOf(example: string, folder: string): void {
  cpSync(join(ROOT, 'site-examples', example), folder, { recursive: true })
  rmSync(join(folder, 'golden'), { recursive: true })
}

function commit(folder: string): void {
  const git = (...args: string[]): unknown => execFileSync('git', ['-C', folder, '-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args])
  git('init', '--quiet', '--initial-branch=main')
  execFileSync(join(ROOT, 'bin/crowbar'), ['lock', '--site', folder], { stdio: 'pipe' })
  git('add', '--all')
  git('commit', '--quiet', '--message', 'A site')
}

import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Texts } from '../compiler/compiling.ts'

/** A repository that barclamps are fetched from; its commits are the same on every machine and at every time. */
export interface GitRepository {
  readonly folder: string
  /** Writes files, links (`→ target`) too, and commits them; gives the commit. */
  commit(texts: Texts): string
  git(...args: readonly string[]): string
}

/** @param from a folder whose files it begins with. */
export function makeRepository(folder: string, from?: string, format: 'sha1' | 'sha256' = 'sha1'): GitRepository {
  mkdirSync(folder, { recursive: true })
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_COUNT: '0', GIT_AUTHOR_NAME: 'banner', GIT_AUTHOR_EMAIL: 'banner@example.com', GIT_COMMITTER_NAME: 'banner', GIT_COMMITTER_EMAIL: 'banner@example.com', GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' }
  const git = (...args: readonly string[]): string => execFileSync('git', ['-C', folder, '-c', 'protocol.file.allow=always', ...args], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  git('init', '--quiet', '--initial-branch=main', `--object-format=${format}`)
  if (from !== undefined) cpSync(from, folder, { recursive: true })
  return {
    folder,
    git,
    commit(texts) {
      for (const [path, text] of Object.entries(texts)) {
        const file = join(folder, path)
        mkdirSync(dirname(file), { recursive: true })
        if (text.startsWith('→ ')) symlinkSync(text.slice(2), file)
        else writeFileSync(file, text)
        if (text.startsWith('#!')) chmodSync(file, 0o755)
      }
      git('add', '--all')
      git('commit', '--quiet', '--message', 'banner 1.0.0')
      return git('rev-parse', 'HEAD')
    },
  }
}

/**
 * A place of its own for what git is told and what is kept of other repositories; `reaches` says which folder a URL
 * leads to. Disposed of, everything is as before.
 */
export function gitWorld(reaches: Readonly<Record<string, string>> = {}): Disposable & { readonly folder: string; reach(url: string, folder: string): void } {
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-git-'))
  const config = join(folder, 'gitconfig')
  const before = { XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'], GIT_CONFIG_GLOBAL: process.env['GIT_CONFIG_GLOBAL'] }
  const lines = new Map<string, string>()
  const reach = (url: string, target: string): void => {
    lines.set(url, target)
    writeFileSync(config, [...lines].map(([from, to]) => `[url "${to}"]\n\tinsteadOf = ${from}\n`).join(''))
  }
  writeFileSync(config, '')
  for (const [url, target] of Object.entries(reaches)) reach(url, join(folder, target))
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache')
  process.env['GIT_CONFIG_GLOBAL'] = config
  return {
    folder,
    reach,
    [Symbol.dispose]: () => {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) Reflect.deleteProperty(process.env, name)
        else process.env[name] = value
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parseAllDocuments } from 'yaml'
import { rackShape } from '../../schemas/documents/rack.ts'
import type { RackDocument } from '../../schemas/documents/rack.ts'
import { runProgram } from '../stage/run-program.ts'
import { RackError } from './rack-error.ts'

/** A site as it is rehearsed. */
export interface SiteSnapshot {
  /** Bare repository with the site on `main`. */
  readonly repository: string
  readonly racks: readonly RackDocument[]
}

const IDENTITY = { GIT_AUTHOR_NAME: 'crowbar rehearsal', GIT_AUTHOR_EMAIL: 'rehearsal@example.com', GIT_COMMITTER_NAME: 'crowbar rehearsal', GIT_COMMITTER_EMAIL: 'rehearsal@example.com' }

/** Left out of the copy, wherever it is: what git and npm keep; and at the top: real machines, and what is no source. */
const NEVER: ReadonlySet<string> = new Set(['.git', 'node_modules'])
const NOT_AT_THE_TOP: ReadonlySet<string> = new Set(['golden', 'inventory', 'rehearsals'])

/**
 * Copies a site's working folder into a bare repository of its own, uncommitted edits included, so that the rehearsal
 * commits there and never here. What binds the site to real machines stays out: `inventory/` and the claims of the lock.
 *
 * @param options.folder for `site/`, which is removed again, and `site.git`.
 * @param options.leaveOut a folder that may lie in the site and is no part of it.
 * @throws {RackError} RACK_BAD_DOCUMENT for a `rack` document that is not understood.
 */
export async function snapshotSite(site: string, { folder, leaveOut, signal }: { readonly folder: string; readonly leaveOut: string; readonly signal: AbortSignal }): Promise<SiteSnapshot> {
  const source = resolve(site)
  if (!(await stat(source).then(one => one.isDirectory(), () => false))) throw new RackError('RACK_BAD_DOCUMENT', `${site} is not a folder`)
  const work = join(folder, 'site')
  await mkdir(work, { recursive: true })
  const repository = join(folder, 'site.git')
  // Entry by entry, since that folder may lie in the site itself.
  const wanted = (path: string): boolean => !NEVER.has(basename(path)) && path !== leaveOut
  for (const entry of await readdir(source)) {
    if (!NOT_AT_THE_TOP.has(entry) && wanted(join(source, entry))) await cp(join(source, entry), join(work, entry), { recursive: true, verbatimSymlinks: true, filter: wanted })
  }
  await releaseClaims(join(work, 'site.lock.json'))
  const racks = await readRacks(work)
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: folder, LC_ALL: 'C.UTF-8', GIT_CONFIG_NOSYSTEM: '1', ...IDENTITY }
  const git = (...args: string[]): Promise<unknown> => runProgram(['git', ...args], { signal, cwd: work, env })
  await git('init', '--quiet', '--initial-branch=main')
  await git('add', '--all', '--force')
  await git('commit', '--quiet', '--allow-empty', '--message', 'The site as it is rehearsed')
  await git('clone', '--quiet', '--bare', work, repository)
  await rm(work, { recursive: true, force: true })
  return { repository, racks }
}

async function releaseClaims(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return
  const lock = JSON.parse(text) as Record<string, unknown>
  await writeFile(file, `${JSON.stringify({ ...lock, claims: {} }, null, 1)}\n`)
}

async function readRacks(folder: string): Promise<RackDocument[]> {
  const validate = new Ajv2020({ strict: false }).compile<RackDocument>(rackShape.json)
  const racks: RackDocument[] = []
  const files = (await readdir(folder, { recursive: true })).filter(path => /\.(yaml|yml)$/.test(path)).toSorted()
  for (const path of files) {
    const text = await readFile(join(folder, path), 'utf8')
    if (!/^kind: *["']?rack/m.test(text)) continue
    for (const document of parseAllDocuments(text)) {
      const value: unknown = (document as { toJS(): unknown }).toJS()
      if ((value as { kind?: unknown } | null)?.kind !== 'rack') continue
      if (!validate(value)) throw new RackError('RACK_BAD_DOCUMENT', `${path}: ${validate.errors?.[0]?.instancePath ?? ''} ${validate.errors?.[0]?.message ?? ''}`)
      racks.push(value)
    }
  }
  return racks
}

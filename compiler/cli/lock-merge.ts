import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Lock } from '../../schemas/lock.ts'
import { lockText } from '../allocate/lock-text.ts'
import type { Disagreement } from '../allocate/lock-text.ts'
import { mergeLocks } from '../allocate/merge-lock.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { foldNames } from '../print/fold-names.ts'
import { readLock } from '../validate/read-lock.ts'
import { EXIT, misused } from './session.ts'

/**
 * `crowbar lock --merge BASE OURS THEIRS [PATH]`, as git calls a merge driver (gitattributes(5)): the result is written
 * over OURS. Exit 1: a person has to decide, and the file has git's marks, each entry below the side that wants it.
 */
export function lockMergeCommand(files: readonly string[]): number {
  const [base, ours, theirs, path = LOCK_PATH, ...more] = files
  if (base === undefined || ours === undefined || theirs === undefined || more.length > 0) return misused('--merge takes three files, BASE OURS THEIRS, and perhaps the path that they are of')
  const sides = { base: read(base, { mayBeEmpty: true }), ours: read(ours), theirs: read(theirs) }
  const bad = Object.entries(sides).find(([, side]) => 'problem' in side)
  if (bad !== undefined) {
    process.stderr.write(`crowbar: ${path}: ${bad[0]} is no lock that can be merged entry by entry: ${(bad[1] as { readonly problem: string }).problem}\n`)
    return textual({ base, ours, theirs })
  }
  const locks = sides as { readonly [side in keyof typeof sides]: { readonly lock: Lock | null } }
  const { lock, disagreements } = mergeLocks({ base: locks.base.lock, ours: locks.ours.lock as Lock, theirs: locks.theirs.lock as Lock })
  writeFileSync(ours, lockText(lock, disagreements))
  if (disagreements.length === 0) return EXIT.done
  for (const each of disagreements) process.stderr.write(`crowbar: ${path}: ${words(each)}\n`)
  process.stderr.write(`Keep one side of each and take the marks away, then run \`crowbar lock\`: what has no line gets something else.\n`)
  return EXIT.fault
}

function words({ section, ours, theirs }: Disagreement): string {
  const keys = [...new Set([...ours, ...theirs].map(([key]) => key))]
  const [key = ''] = keys
  return keys.length === 1 ? `${section}: both sides changed ${key}, in different ways` : `${section}: ${foldNames(keys)} have the same ${THING[section]}`
}

const THING: { readonly [section in Disagreement['section']]: string } = { claims: 'machine', nodes: 'index', bindings: 'index', addresses: 'address', disks: 'disk', barclamps: 'commit', artifacts: 'artifacts' }

/** A lock from a file; null: the file is empty, as git gives it where one side has none. */
function read(file: string, { mayBeEmpty = false } = {}): { readonly lock: Lock | null } | { readonly problem: string } {
  const bytes = readFileSync(file)
  return mayBeEmpty && bytes.toString('utf8').trim() === '' ? { lock: null } : readLock(bytes)
}

/** What git would have done without us; never taken for done, whatever it comes to. */
function textual({ base, ours, theirs }: { readonly base: string; readonly ours: string; readonly theirs: string }): number {
  spawnSync('git', ['merge-file', '-L', 'ours', '-L', 'base', '-L', 'theirs', ours, base, theirs], { stdio: 'inherit' })
  return EXIT.fault
}

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Lock } from '../../schemas/lock.ts'
import { lockText } from '../allocate/lock-text.ts'
import { applySplices } from '../edit/splice.ts'
import type { Splice } from '../edit/splice.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { lockChanges } from '../print/lock-changes.ts'
import { treeOf } from '../tree/tree.ts'
import type { Tree } from '../tree/tree.ts'
import { readLock } from '../validate/read-lock.ts'
import { compileTree } from './compile-site.ts'
import { EXIT, tell } from './session.ts'

/** Options of the commands that write documents for review. */
export interface RewriteOptions {
  readonly site: string
  readonly dryRun?: true
  readonly format: 'text' | 'json'
}

export interface Rewriting {
  readonly tree: Tree
  readonly splices: readonly Splice[]
  /** Edits the lock that the edited site leads to. */
  readonly lock?: (lock: Lock) => Lock
  /** What to do next, for people, under the lock that was written. */
  readonly next: (lock: Lock) => string
}

/**
 * Edits the files of a site and its lock, and prints what was written. A site that would be no good with the edits is
 * left as it is.
 */
export function rewrite({ tree, splices, lock, next }: Rewriting, options: RewriteOptions): number {
  const read = (path: string): string => (tree.files.has(path) ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(tree.files.get(path)?.bytes()) : '')
  const files = applySplices(splices, read)
  const edited = edit(tree, files)
  const { compiled, diagnostics, tree: shown } = compileTree(edited)
  if (compiled === undefined) {
    tell(diagnostics, shown)
    process.stderr.write('\nNothing was written: with that edit the site would be wrong as above.\n')
    return EXIT.fault
  }
  const written = lock === undefined ? compiled.lock : lock(compiled.lock)
  const before = tree.files.get(LOCK_PATH)
  const old = before === undefined ? undefined : readLock(before.bytes())
  const changes = lockChanges(old !== undefined && 'lock' in old ? old.lock : null, written)
  const outcome = { files: [...files].map(([path, text]) => ({ path, lines: text === null ? ['- the file goes'] : changedLines(read(path), text) })), lock: changes }
  if (options.format === 'json') process.stdout.write(`${JSON.stringify(outcome, null, 2)}\n`)
  else {
    for (const { path, lines } of outcome.files) process.stdout.write(`${path}\n${lines.map((line) => `  ${line}\n`).join('')}`)
    if (changes.length > 0) process.stdout.write(`${LOCK_PATH}\n${changes.map(({ text }) => `  ${text}\n`).join('')}`)
  }
  if (options.dryRun === true) return EXIT.done
  for (const [path, text] of files) write(join(options.site, path), { text, mode: tree.files.get(path)?.mode === '0755' ? 0o755 : 0o644 })
  write(join(options.site, LOCK_PATH), { text: lockText(written), mode: 0o644 })
  process.stderr.write(`\n${next(written)}\n`)
  return EXIT.done
}

function edit(tree: Tree, files: ReadonlyMap<string, string | null>): Tree {
  const all = new Map(tree.files)
  for (const [path, text] of files) {
    if (text === null) all.delete(path)
    else all.set(path, treeOf({ [path]: text }).files.get(path) as NonNullable<ReturnType<Tree['files']['get']>>)
  }
  return { commit: tree.commit, files: new Map([...all].toSorted(([a], [b]) => (a < b ? -1 : 1))) }
}

/** The lines between what two texts have in common at both ends. */
function changedLines(before: string, after: string): readonly string[] {
  const [a, b] = [before.split('\n'), after.split('\n')]
  let head = 0
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head++
  let tail = 0
  while (tail < Math.min(a.length, b.length) - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  return [...a.slice(head, a.length - tail).map((line) => `- ${line}`), ...b.slice(head, b.length - tail).map((line) => `+ ${line}`)]
}

function write(file: string, { text, mode }: { readonly text: string | null; readonly mode: number }): void {
  if (text === null) return rmSync(file)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, text, { mode })
  renameSync(`${file}.new`, file)
}

import { readFileSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The files of /sys and /proc below one root, so that a recorded machine can be read like the running one. What cannot be
 * read is what the hardware does not have: it reads as empty.
 */
export interface SystemFiles {
  readonly root: string
  /** Text without surrounding space and NULs; '' when it cannot be read. */
  text(path: string): string
  bytes(path: string): Buffer
  number(path: string): number
  /** Names in code point order. */
  list(path: string): readonly string[]
  exists(path: string): boolean
  /** Where a link leads, as it is written; ''. */
  link(path: string): string
  /** Path below the root after all links; ''. */
  real(path: string): string
}

/** Reads below `root`, `/` for this machine. */
export function openSystemFiles(root: string): SystemFiles {
  const or = <T>(read: () => T, otherwise: T): T => {
    try {
      return read()
    } catch {
      return otherwise
    }
  }
  const at = (path: string): string => join(root, path)
  const list = (path: string): readonly string[] => or(() => readdirSync(at(path)).toSorted(), [])
  const text = (path: string): string => or(() => readFileSync(at(path), 'utf8'), '').replaceAll('\0', '').trim()
  return {
    root,
    text,
    bytes: (path) => or(() => readFileSync(at(path)), Buffer.alloc(0)),
    number: (path) => Number.parseInt(text(path), 10) || 0,
    list,
    exists: (path) => or(() => realpathSync(at(path)), '') !== '',
    link: (path) => or(() => readlinkSync(at(path)), ''),
    real: (path) => or(() => realpathSync(at(path)).slice(root === '/' ? 0 : realpathSync(root).length), ''),
  }
}

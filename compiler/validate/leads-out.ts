import { posix } from 'node:path'

/** Whether a path, read from the root of the repository, is outside of it. */
export function leadsOut(path: string): boolean {
  const normal = posix.normalize(path)
  return normal.startsWith('/') || normal === '..' || normal.startsWith('../')
}

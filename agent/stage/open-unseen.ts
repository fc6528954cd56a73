import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

/** Opens a file for reading without changing its access time, which in a store says when it was last used. */
export async function openUnseen(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOATIME).catch((error: NodeJS.ErrnoException) => {
    // Only who owns a file may read it without a trace.
    if (error.code !== 'EPERM') throw error
    return open(path, 'r')
  })
}

import { Readable } from 'node:stream'
import { createZstdDecompress } from 'node:zlib'
import { mustRun } from '../run-program.ts'
import { download } from '../tasks/download.ts'
import type { Fetchable } from '../tasks/download.ts'
import type { TaskContext } from '../executor.ts'

const STEP = 10

/**
 * Fetches a root filesystem (tar, zstd) and unpacks it as it comes, with owners, modes, extended attributes and ACLs. Its
 * hash is checked before its last bytes are handed on, so that only the right file ever unpacks to its end.
 *
 * @throws {NodeError} CONTENT_MISMATCH, FETCH_FAILED, PROGRAM_FAILED.
 */
export async function unpackRootfs(rootfs: Fetchable, { folder, context }: { readonly folder: string; readonly context: TaskContext }): Promise<void> {
  const { signal } = context
  const options = await extendedOptions(signal)
  const chunks = counted(download(rootfs, { signal, onWait: (message) => context.output('progress', message) }), rootfs.bytes, (percent) => context.output('progress', `unpacking ${percent} %`))
  const source = Readable.from(chunks)
  const tar = source.pipe(createZstdDecompress())
  // pipe() does not carry errors on; without this a bad hash would leave tar waiting for ever. Nothing is awaited from here
  // until somebody listens to the stream: an error that comes before would be nobody's, and end the agent.
  source.on('error', (error) => tar.destroy(error))
  await mustRun(['tar', '--extract', '--file=-', '--numeric-owner', '--same-owner', '--preserve-permissions', ...options, '-C', folder], { signal, input: tar, onStart: (mark) => context.started(mark) })
}

/** busybox's tar knows neither attributes nor ACLs. */
async function extendedOptions(signal: AbortSignal): Promise<string[]> {
  const version = await mustRun(['tar', '--version'], { signal }).catch(() => '')
  return version.includes('GNU tar') ? ['--xattrs', '--xattrs-include=*', '--acls'] : []
}

async function* counted(chunks: AsyncIterable<Buffer>, total: number, onStep: (percent: number) => void): AsyncGenerator<Buffer> {
  let done = 0
  let told = 0
  for await (const chunk of chunks) {
    done += chunk.length
    const percent = Math.floor((done / Math.max(1, total)) * (100 / STEP)) * STEP
    if (percent > told) onStep((told = percent))
    yield chunk
  }
}

import { constants, createZstdCompress } from 'node:zlib'
import type { ZstdCompress } from 'node:zlib'

/**
 * A zstd compressor (RFC 8878) whose output depends on its input only: the level is fixed, the library comes with the
 * runtime, and nothing is flushed before the end.
 *
 * @param level 9 for what is built often, 15 for what is sent often.
 */
export function createImageCompressor(level: 9 | 15): ZstdCompress {
  // No worker threads: the runtime's stream fails with ERR_STREAM_PUSH_AFTER_EOF when ZSTD_c_nbWorkers is set.
  return createZstdCompress({
    chunkSize: 1024 * 1024,
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
  })
}

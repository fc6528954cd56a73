import { constants, createZstdCompress } from 'node:zlib'
import type { ZstdCompress } from 'node:zlib'

/** Level 15 takes three times as long and saves 2 %. */
const LEVEL = 9

/**
 * A zstd compressor (RFC 8878) whose output depends on its input only: the level is fixed, the library comes with the
 * runtime, and nothing is flushed before the end.
 */
export function createImageCompressor(): ZstdCompress {
  // No worker threads: the runtime's stream fails with ERR_STREAM_PUSH_AFTER_EOF when ZSTD_c_nbWorkers is set.
  return createZstdCompress({
    chunkSize: 1024 * 1024,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
  })
}

import { createHash } from 'node:crypto'

/** Paths of the small packages, and of the large ones. */
export const SMALL = Array.from({ length: 200 }, (_, index) => `pool/main/s/small${String(index)}_1.0_amd64.deb`)
export const LARGE = Array.from({ length: 5 }, (_, index) => `pool/main/l/large${String(index)}_1.0_amd64.deb`)
const SMALL_BYTES = 20_000
const LARGE_BYTES = 10_000_000

/** The same bytes in every run: the set that every proxy is filled with. */
export function benchPackages(): Map<string, Buffer> {
  return new Map([...SMALL.map(path => [path, content(path, SMALL_BYTES)] as const), ...LARGE.map(path => [path, content(path, LARGE_BYTES)] as const)])
}

function content(seed: string, bytes: number): Buffer {
  const block = createHash('sha512').update(seed).digest()
  return Buffer.alloc(bytes, block)
}

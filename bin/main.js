// JavaScript, because what takes the types out of TypeScript takes longer to start than all of this: the modules below
// come out of the cache without them, and this one cannot.
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where compiled code is kept between runs: a folder that nobody else can write to, since what lies in it is run.
 * Without one, starting just takes a little longer.
 *
 * @returns {string | undefined}
 */
function cacheFolder() {
  if (process.getuid?.() === 0) return '/var/cache/crowbar/code'
  const base = process.env['XDG_CACHE_HOME'] ?? (process.env['HOME'] === undefined ? undefined : join(homedir(), '.cache'))
  return base === undefined || !base.startsWith('/') ? undefined : join(base, 'crowbar', 'code')
}

const cache = cacheFolder()
if (cache !== undefined) enableCompileCache(cache)

// Everything else is imported only now, so that it comes out of the cache.
const { run } = await import('./run.ts')
await run(process.argv.slice(2))

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Makes sure that Debian packages are installed: installs what is missing when we are root, with apt-get from the
 * machine's own mirror.
 *
 * @throws if something is missing and we are not root: the message is the one line to run.
 */
export async function needDebianPackages(names: readonly string[]): Promise<void> {
  const missing: string[] = []
  for (const name of names) if (!(await isInstalled(name))) missing.push(name)
  if (missing.length === 0) return
  if (process.getuid?.() !== 0) throw new Error(`run first: sudo apt-get install -y ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // Another test run may be installing: wait for the lock instead of failing.
  const install = ['-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '--no-install-recommends', ...missing]
  const options = { env, maxBuffer: 64 * 1024 * 1024, timeout: 600_000 }
  try {
    await run('apt-get', install, options)
  } catch {
    // The lists of a fresh machine may be missing or old.
    await run('apt-get', ['update'], options)
    await run('apt-get', install, options)
  }
}

async function isInstalled(name: string): Promise<boolean> {
  try {
    const { stdout } = await run('dpkg-query', ['-W', '-f', '${db:Status-Status}', name])
    return stdout === 'installed'
  } catch {
    return false
  }
}

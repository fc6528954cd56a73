import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { installDebianPackages } from '../../agent/image/needs.ts'

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
  const outcome = await installDebianPackages(missing, { signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  if (outcome.kind === 'needs-root') throw new Error(`run first: ${outcome.command}`)
}

async function isInstalled(name: string): Promise<boolean> {
  try {
    const { stdout } = await run('dpkg-query', ['-W', '-f', '${db:Status-Status}', name])
    return stdout === 'installed'
  } catch {
    return false
  }
}

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Plan } from '../../schemas/plan.ts'

const MAIN = fileURLToPath(new URL('../../bin/main.js', import.meta.url))

/**
 * The plan of a site, of its folder as it is or of a revision, by the compiler in a process of its own; what it has to say
 * about the site goes to standard error.
 *
 * @returns the compiler's exit code when there is no plan.
 */
export async function sitePlan({ site, ref }: { readonly site: string; readonly ref?: string | undefined }): Promise<{ readonly plan: Plan } | { readonly exitCode: number }> {
  const child = spawn(process.execPath, [MAIN, 'plan', '--format', 'json', '--site', site, ...(ref === undefined ? [] : ['--ref', ref])], { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve(code ?? 1))
  })
  return exitCode === 0 ? { plan: JSON.parse(Buffer.concat(chunks).toString('utf8')) as Plan } : { exitCode }
}

import { writeFileSync } from 'node:fs'
import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { prettyJson } from '../print/pretty-json.ts'
import { rangeOfFile } from '../tree/listing.ts'
import { compileSite } from './compile-site.ts'
import type { SiteArguments } from './compile-site.ts'
import { lockMissing } from './missing-lock.ts'
import { EXIT, formatOf, tell } from './session.ts'

/** `crowbar plan`: the desired state on stdout. Writes nothing but --out. */
export async function planCommand(options: SiteArguments & { readonly frozen?: true; readonly out?: string; readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json', 'markdown', 'dot', 'html'])
  if (format === undefined) return EXIT.usage
  const { tree, compiled, diagnostics } = await compileSite(options)
  const stale = options.frozen === true && compiled?.lockChanged === true
  const missing = compiled === undefined ? undefined : await lockMissing(options.site, tree)
  const range = tree?.files.has(LOCK_PATH) === true ? rangeOfFile(LOCK_PATH) : undefined
  const known = missing === undefined ? diagnostics : [...diagnostics, { ...missing, severity: 'warning' as const }]
  tell(stale ? [...known, error('LOCK_STALE', range, `${LOCK_PATH} is not what this site leads to.`, { fix: missing?.fix ?? 'Run `crowbar lock` and commit the result.' })] : known, tree)
  if (compiled === undefined) return EXIT.fault
  if (stale) return EXIT.stale
  const { plan } = compiled
  if (options.out !== undefined) writeFileSync(options.out, `${canonical(plan as unknown as Json)}\n`)
  if (format === 'json') process.stdout.write(prettyJson(plan as unknown as Json))
  else if (format === 'dot') process.stdout.write((await import('../print/plan-dot.ts')).planDot(plan))
  else {
    const text = (await import('../print/plan-text.ts')).planText(plan)
    if (format === 'html') process.stdout.write((await import('../print/html-page.ts')).htmlPage(`${plan.site.name}: plan`, text))
    else process.stdout.write(format === 'markdown' ? `\`\`\`text\n${text}\`\`\`\n` : text)
  }
  if (compiled.lockChanged && missing === undefined) process.stderr.write(`\n${LOCK_PATH} would change: \`crowbar lock\` writes it, and the admin agent commits it when machines are claimed.\n`)
  return EXIT.done
}

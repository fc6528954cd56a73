import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import type { Foreseen } from '../../../schemas/foreseen.ts'
import type { DryRunTask } from '../../../schemas/protocol.ts'
import { chooseJig } from '../../jigs/choose-jig.ts'
import type { Jig, JigDryRun, JigForeseen } from '../../jigs/jig.ts'
import type { TaskContext, TaskEnd } from '../executor.ts'
import { NodeError } from '../node-error.ts'
import { removeTree } from '../remove-tree.ts'
import { programEnvironment, runProgram } from '../run-program.ts'
import { redactor, sensitiveTexts, textsOf } from './redact.ts'
import { exported, prepare, runJig } from './role.ts'
import type { RoleFolders } from './role.ts'

/** What one dry run may tell: more than a person reads, less than a frame. */
const MOST = { foreseen: 200, characters: 2000 } as const

/**
 * Says what an entry would do on this node, by its tool's own dry run or by the role's `preview`, and changes nothing: no
 * package is installed, nothing is provided.
 *
 * What nobody can say is told as `unknown`, never as nothing. Secrets are taken out of all of it.
 *
 * @throws {NodeError} JIG_UNKNOWN, JIG_VALUE, CONTENT_*, FETCH_FAILED, and the reason of an abort.
 */
export async function runDry(task: DryRunTask, { folders, context }: { readonly folders: RoleFolders; readonly context: TaskContext }): Promise<TaskEnd> {
  const jig = chooseJig(task.jig)
  if (jig === undefined) throw new NodeError('JIG_UNKNOWN', `this node agent has no jig called ${task.jig}`)
  await mkdir(folders.work, { recursive: true, mode: 0o700 })
  const work = await mkdtemp(join(folders.work, 'dry-'))
  const redact = redactor([...sensitiveTexts(task.document, task.sensitive), ...(task.mask ?? []).flatMap((value) => textsOf(value))])
  const quiet: TaskContext = { ...context, output: (stream, line) => context.output(stream, redact(line)) }
  try {
    const found = [...await packagesForeseen(task.packages, context.signal), ...await entryForeseen(task, jig, { work, folders, context: quiet, redact })]
    return { outcome: found.length === 0 ? 'unchanged' : 'succeeded', provides: {}, foreseen: told(found, redact) }
  } catch (error) {
    if (error instanceof Error) error.message = redact(error.message)
    throw error
  } finally {
    await removeTree(work).catch((error: unknown) => quiet.output('progress', `the working folder stays: ${(error as Error).message}`))
  }
}

interface Place {
  readonly work: string
  readonly folders: RoleFolders
  readonly context: TaskContext
  readonly redact: (text: string) => string
}

async function entryForeseen(task: DryRunTask, jig: Jig, { work, folders, context, redact }: Place): Promise<readonly Foreseen[]> {
  const unknown = (detail: string): readonly Foreseen[] => [{ what: task.entry, at: null, effect: 'unknown', detail }]
  const { preview } = task
  const dry = jig.dryRun ?? (preview === null ? null : previewOf(jig))
  if (dry === null) return unknown(`a role of the jig ${task.jig} cannot say what it would do, unless it names a file that does (preview)`)
  const entry = jig.dryRun === null && preview !== null ? preview : task.entry
  const crowbar = { ...(task.document['crowbar'] as object), ...(jig.dryRun === null ? { action: 'preview' } : {}) }
  const input = await prepare({ ...task, entry, document: { ...task.document, crowbar } }, { work, folders, context })
  try {
    const end = await runJig(exported(input, () => dry.export(input)), { task: { jig: task.jig, entry }, input, context, clean: redact })
    const foreseen = dry.import(end, input)
    return foreseen.kind === 'foreseen' ? foreseen.foreseen : unknown(foreseen.message)
  } catch (error) {
    if (error instanceof NodeError && error.code === 'JIG_MISSING') return unknown('its tool is not on the node yet')
    throw error
  }
}

/** A file of the role that says what its run would do: a line of output for each change, `unchanged` for none. */
function previewOf(jig: Jig): JigDryRun {
  return {
    export: (input) => jig.export(input),
    import(end, input): JigForeseen {
      const outcome = jig.import(end, input)
      if (outcome.kind === 'failed') return outcome
      if (outcome.kind === 'unchanged') return { kind: 'foreseen', foreseen: [] }
      const lines = linesOf(end).slice(0, MOST.foreseen)
      const details = lines.length === 0 ? ['it would change something, and does not say what'] : lines
      return { kind: 'foreseen', foreseen: details.map((detail) => ({ what: input.entry, at: null, effect: 'change', detail })) }
    },
  }
}

/** What it said: standard output, or the texts that it logged where that speaks a protocol. */
function linesOf({ said, files }: Parameters<Jig['import']>[0]): string[] {
  const spoken = files.get('exec.jsonl')
  if (spoken === undefined) return said.split('\n').filter((line) => line.trim() !== '')
  return Buffer.from(spoken).toString('utf8').split('\n').flatMap((line) => {
    const message = line.trim() === '' ? undefined : JSON.parse(line) as { readonly type?: unknown; readonly text?: unknown }
    return message?.type === 'log' && typeof message.text === 'string' ? [message.text] : []
  })
}

/** Packages that the step brings and that are not there. */
async function packagesForeseen(packages: readonly string[], signal: AbortSignal): Promise<readonly Foreseen[]> {
  if (packages.length === 0) return []
  const names = packages.map((name) => name.replace(/[=:].*$/, ''))
  const { stdout } = await runProgram(['dpkg-query', '--show', '--showformat', '${db:Status-Status} ${Package}\n', '--', ...names], { signal, environment: programEnvironment() })
  const there = new Set(stdout.split('\n').filter((line) => line.startsWith('installed ')).map((line) => line.slice('installed '.length)))
  const missing = names.filter((name) => !there.has(name))
  return missing.length === 0 ? [] : [{ what: 'packages', at: null, effect: 'change', detail: `would be installed, with what they need: ${missing.join(', ')}` }]
}

function told(foreseen: readonly Foreseen[], redact: (text: string) => string): readonly Foreseen[] {
  const cut = (text: string): string => (text.length > MOST.characters ? `${text.slice(0, MOST.characters)}…` : text)
  const shown = foreseen.slice(0, MOST.foreseen).map(({ what, at, effect, detail }): Foreseen => ({ what: cut(redact(what)), at: at === null ? null : cut(redact(at)), effect, detail: cut(redact(detail)) }))
  const more = foreseen.length - shown.length
  return more === 0 ? shown : [...shown, { what: `and ${String(more)} more`, at: null, effect: 'change', detail: 'not told one by one' }]
}

import { chmod, mkdir, mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RoleTask } from '../../../schemas/protocol.ts'
import type { Json } from '../../../schemas/shape.ts'
import { chooseJig } from '../../jigs/choose-jig.ts'
import { JigValueError } from '../../jigs/jig.ts'
import type { JigEnd, JigExport, JigInput, JigOutcome } from '../../jigs/jig.ts'
import type { TaskContext, TaskEnd } from '../executor.ts'
import { NodeError } from '../node-error.ts'
import { removeTree } from '../remove-tree.ts'
import { programEnvironment, runProgram } from '../run-program.ts'
import { placeContent } from './content.ts'
import { installPackages } from './packages.ts'
import { matchesType } from './provide-type.ts'
import { holdsAny, redactor, sensitiveTexts, textsOf } from './redact.ts'

/** Bytes that a run may leave as results. */
const RESULT_BYTES = 1024 * 1024

const NOTHING_RUN = { exitCode: 0, stdout: '', stderr: '' }

/** Where role tasks work. */
export interface RoleFolders {
  /** Private working folders are made in it and removed again. In memory (/run), since documents may hold secrets. */
  readonly work: string
  /** Why `work` is on a disk after all, where no secret may go. */
  readonly onDisk?: string
  /** Content by hash. */
  readonly cache: string
}

/**
 * Runs an entry of a barclamp: fetches its files, installs the packages it brings, gives the jig the document, runs the
 * jig's command in a process group of its own and reads what it provides.
 *
 * Whatever the document calls sensitive, what went into that, and every sensitive value that it provides, is taken out of
 * output and messages. None of it can be provided as a value for everybody.
 *
 * @param options.unasked nobody takes what it provides, as in an operation.
 * @throws {NodeError} JIG_UNKNOWN, CONTENT_*, FETCH_FAILED, PACKAGES_FAILED, PROVIDE_*, and the reason of an abort.
 */
export async function runRole(task: RoleTask, { folders, context, unasked = false }: { readonly folders: RoleFolders; readonly context: TaskContext; readonly unasked?: boolean }): Promise<TaskEnd> {
  const jig = chooseJig(task.jig)
  if (jig === undefined) throw new NodeError('JIG_UNKNOWN', `this node agent has no jig called ${task.jig}`)
  await mkdir(folders.work, { recursive: true, mode: 0o700 })
  const work = await mkdtemp(join(folders.work, 'role-'))
  const secrets = [...sensitiveTexts(task.document, task.sensitive), ...(task.mask ?? []).flatMap((value) => textsOf(value))]
  let redact = redactor(secrets)
  const quiet: TaskContext = { ...context, output: (stream, line) => context.output(stream, redact(line)) }
  try {
    const input = await prepare(task, { work, folders, context: quiet })
    const installed = await installPackages(task.packages, { repository: task.repository, work, context: quiet })
    const { environment, ...rest } = exported(input, () => jig.export(input))
    const command = { ...rest, environment: { ...environment, CROWBAR_INSTALLED: installed.join(' ') } }
    const outcome = jig.import(await runJig(command, { task, input, context: quiet, clean: (text) => redact(text) }), input)
    if (outcome.kind !== 'failed') redact = withProvided(redact, outcome, task)
    return checked(outcome, task, { redact, secrets, unasked: unasked || actionOf(task) !== 'run' })
  } catch (error) {
    // What a tool or a parser says may quote what it was given.
    if (error instanceof Error) error.message = redact(error.message)
    throw error
  } finally {
    // How the step ended is what it is, also when its folder cannot be removed; the next start of the agent does that.
    await removeTree(work).catch((error: unknown) => quiet.output('progress', `the working folder stays: ${(error as Error).message}`))
  }
}

/** Puts the files of an export in place and runs its command. @throws {NodeError} JIG_MISSING, RESULT_TOO_LARGE. */
export async function runJig({ files, command, environment, path, hides }: JigExport, { task, input, context, clean }: { readonly task: Pick<RoleTask, 'jig' | 'entry'>; readonly input: JigInput; readonly context: TaskContext; readonly clean: (text: string) => string }): Promise<JigEnd> {
  for (const file of files) {
    const target = join(input.work, file.path)
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await writeFile(target, file.text, { mode: file.mode })
  }
  const base = programEnvironment()
  const { exitCode, stdout, stderr } = command === null ? NOTHING_RUN : await runProgram(command, {
    signal: context.signal, cwd: input.content, clean, onStart: (mark) => context.started(mark),
    onLine: (stream, line) => (hides?.(line) === true ? undefined : context.output(stream, line)),
    environment: { ...base, ...environment, PATH: [...path, base['PATH'] ?? ''].join(':') },
  }).catch((error: unknown) => {
    throw withoutTool(error, task)
  })
  return { exitCode, files: await readResults(input.results), said: `${stdout}\n${stderr}` }
}

/** Fetches the files of the barclamp into a working folder, and makes the one for results. @throws {NodeError} CONTENT_*, FETCH_FAILED. */
export async function prepare(
  task: Pick<RoleTask, 'jig' | 'entry' | 'content' | 'document' | 'sensitive' | 'mask'>, { work, folders, context }: { readonly work: string; readonly folders: RoleFolders; readonly context: TaskContext },
): Promise<JigInput> {
  const content = join(work, 'content')
  const results = join(work, 'results')
  await mkdir(content, { mode: 0o700 })
  await mkdir(join(results, 'provides'), { recursive: true, mode: 0o700 })
  await mkdir(join(results, 'facts'), { mode: 0o700 })
  await placeContent(task.content, { folder: content, cache: folders.cache, signal: context.signal, onWait: (message) => context.output('progress', message) })
  const secretive = task.sensitive.length > 0 || (task.mask ?? []).length > 0
  if (secretive && folders.onDisk !== undefined) throw new NodeError('WORK_ON_DISK', `a role that is given secrets was not run: its folder ${folders.work} would be on a disk (${folders.onDisk})`)
  if (task.jig === 'noop') return { document: task.document, entry: task.entry, entryText: '', content, work, results, secretive }
  if (!task.content.some(({ path }) => path === task.entry)) throw new NodeError('CONTENT_INVALID', `the barclamp has no file ${task.entry}`)
  const entry = join(content, task.entry)
  const entryText = await readFile(entry, 'utf8')
  if (entryText.startsWith('#!')) await chmod(entry, 0o700)
  return { document: task.document, entry: task.entry, entryText, content, work, results, secretive }
}

/** @throws {NodeError} JIG_VALUE. */
export function exported(input: JigInput, give: () => JigExport): JigExport {
  try {
    return give()
  } catch (error) {
    throw error instanceof JigValueError ? new NodeError('JIG_VALUE', `${input.entry}: ${error.message}`) : error
  }
}

/** A tool that is not on the node is named as what it is. */
function withoutTool(error: unknown, task: Pick<RoleTask, 'jig' | 'entry'>): unknown {
  if (!(error instanceof NodeError) || error.code !== 'PROGRAM_MISSING') return error
  return new NodeError('JIG_MISSING', `${error.message}. ${task.entry} runs by the jig ${task.jig}; bring its tool with \`packages\` of the role, or with an earlier role`, { cause: error })
}

async function readResults(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  let bytes = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    bytes += (await stat(path)).size
    if (bytes > RESULT_BYTES) throw new NodeError('RESULT_TOO_LARGE', `the step left more than ${RESULT_BYTES} bytes of results`)
    files.set(path.slice(folder.length + 1), await readFile(path))
  }
  return files
}

/** Why the entry runs, as its document says: `run` where it does not. */
function actionOf({ document }: RoleTask): string {
  const crowbar = document['crowbar'] as { readonly action?: Json } | undefined
  return typeof crowbar?.action === 'string' ? crowbar.action : 'run'
}

function withProvided(redact: (line: string) => string, outcome: Exclude<JigOutcome, { kind: 'failed' }>, task: RoleTask): (line: string) => string {
  const secrets = Object.entries(outcome.provides).filter(([name]) => task.provides[name]?.sensitive !== false).flatMap(([, value]) => textsOf(value))
  const more = redactor(secrets)
  return (line) => more(redact(line))
}

/**
 * What is provided is exactly what the role declares, in the declared types. A check may say it too, for whoever asks how
 * an attempt ended; for a gate or an operation, which ask for nothing, it says it in vain.
 */
function checked(outcome: JigOutcome, task: RoleTask, { redact, secrets, unasked }: { readonly redact: (line: string) => string; readonly secrets: readonly string[]; readonly unasked: boolean }): TaskEnd {
  if (outcome.kind === 'failed') throw new NodeError(outcome.code, redact(outcome.message))
  const provides: Record<string, Json> = {}
  for (const [name, value] of Object.entries(outcome.provides)) {
    const declared = task.provides[name]
    if (declared === undefined && unasked) continue
    if (declared === undefined) throw new NodeError('PROVIDE_UNDECLARED', `${task.entry} provides ${name}, which its role does not declare`)
    if (!matchesType(value, declared.type)) {
      const hint = typeof value === 'string' ? `; say crowbar-provide ${name} --json VALUE` : ''
      throw new NodeError('PROVIDE_TYPE', `${name} is declared as ${declared.type}, and ${task.entry} gave a ${typeof value}${hint}`)
    }
    if (declared.sensitive === false && holdsAny(value, secrets)) throw new NodeError('PROVIDE_SECRET', `${name} holds a secret that ${task.entry} was given, and everybody could read it: its role has to declare it with sensitive: true`)
    provides[name] = value
  }
  if (holdsAny(outcome.facts, secrets)) throw new NodeError('PROVIDE_SECRET', `${task.entry} reports a fact that holds a secret, and facts are for everybody to read`)
  const missing = Object.keys(task.provides).filter((name) => !Object.hasOwn(provides, name))
  if (missing.length > 0) throw new NodeError('PROVIDE_MISSING', `${task.entry} did not provide ${missing.join(', ')}`)
  return { outcome: outcome.kind, provides, ...(Object.keys(outcome.facts).length === 0 ? {} : { facts: outcome.facts }) }
}

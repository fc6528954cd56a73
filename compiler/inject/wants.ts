import { canonical } from '../../schemas/canonical.ts'
import type { Range } from '../../schemas/diagnostic.ts'
import type { WantDeclaration } from '../../schemas/documents/barclamp.ts'
import { own } from '../../schemas/own.ts'
import type { Json } from '../../schemas/shape.ts'
import type { BoundMember, BoundRole } from '../bind/bound-site.ts'
import { findRole, memberOf } from '../bind/find-role.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { foldNames } from '../print/fold-names.ts'
import type { ResolvedBarclamp, ResolvedDeployment } from '../resolve/resolved-site.ts'
import { deferredInput, FAILED, MEMBER_PROVIDE } from './deferred-value.ts'
import type { Evaluation } from './evaluation.ts'
import { claimedMembers } from './scope.ts'
import type { Subject } from './subject.ts'

/** A want of a role, about to be answered. */
export interface WantQuestion {
  readonly subject: Subject
  readonly role: BoundRole
  readonly deployment: ResolvedDeployment
  readonly name: string
  readonly want: WantDeclaration
  /** Of the want, in the barclamp. */
  readonly range: Range
}

/** The value that a role wants, known or deferred; null when nobody provides it, which is reported unless that is allowed. */
export function answerWant(evaluation: Evaluation, question: WantQuestion): Json {
  const { want, range, name } = question
  const ways = [want.from, want.secret, want.attribute].filter((way) => way !== undefined)
  if (ways.length !== 1 || (want.from !== undefined && want.provide === undefined)) {
    const fix = ways.length === 1 ? 'Add `provide`, the name of the value.' : 'Say exactly one of `from`, `secret` and `attribute`.'
    evaluation.report(error('WANT_INVALID', range, `The want ${name} does not say in one way where its value comes from.`, { fix }))
    return FAILED
  }
  if (want.secret === undefined && (want.generate !== undefined || want.previous !== undefined)) {
    evaluation.report(error('WANT_INVALID', range, `The want ${name} is for no secret, so \`${want.generate === undefined ? 'previous' : 'generate'}\` means nothing.`, { fix: 'Take it away, or say `secret`.' }))
    return FAILED
  }
  if (want.secret !== undefined) return answerSecret(evaluation, question, want.secret)
  return want.attribute === undefined ? answerProvide(evaluation, question) : answerAttribute(evaluation, question, want.attribute)
}

/** The value; with `previous` a map of it and of the one before, null when there is none. */
function answerSecret(evaluation: Evaluation, { want, range, name }: WantQuestion, secret: string): Json {
  const use = { range, optional: want.optional === true }
  if (want.previous !== true) return evaluation.secret(secret, { as: `wants.${name}`, ...use })
  const value = evaluation.secret(secret, { as: `wants.${name}.value`, ...use })
  if (value === null || value === FAILED) return value
  const version = evaluation.allocated.bound.resolved.secrets.get(secret)?.previous ?? null
  const previous = version === null ? null : deferredInput(`wants.${name}.previous`, { secret, version }, { type: 'string', sensitive: true })
  return { value, previous }
}

function answerProvide(evaluation: Evaluation, question: WantQuestion): Json {
  const { role, want, range, deployment } = question
  const from = want.from as string
  const found = providersOf(evaluation, role, want)
  const [provider, ...others] = found
  if (provider === undefined) {
    if (want.optional === true) return null
    const where = want.deployment ?? `${deployment.name} and the deployments that it comes after`
    return complain(evaluation, question, 'WANT_UNMET', `${role.role.name} wants ${want.provide} from ${from}, which is bound to no node in ${where}.`, unmetFix(evaluation, question))
  }
  if (others.length > 0) return complain(evaluation, question, 'WANT_AMBIGUOUS', `${role.role.name} wants ${want.provide} from ${from}, which ${whereAll(found)}.`, 'Say `deployment` in the want, or bind one of them only.')
  if (own(provider.role.declaration.provides, want.provide as string) === undefined) {
    return complain(evaluation, question, 'WANT_UNMET', `${role.role.name} wants ${want.provide} from ${from}, and ${provider.role.name}, which acts as it, does not provide that.`, `Let ${provider.role.name} provide ${want.provide}.`)
  }
  if (provider.external !== null) {
    // What a step of ours would tell, nobody tells of somebody else's service.
    if (want.optional === true && own(provider.role.declaration.provides, want.provide as string)?.value === undefined) return want.many === true ? [] : null
    const values = provider.external.map((external) => evaluation.provide(provider, want.provide as string, { external }))
    return want.many === true ? values : (values[0] as Json)
  }
  if (want.many === true) return manyOf(evaluation, provider, want.provide as string)
  const chosen = want.only === 'founder' ? provider.members.filter((member) => member.node === provider.founder) : provider.members
  const [member] = chosen
  if (member === undefined && provider.binding.where !== undefined) {
    return want.optional === true ? null : deferredInput(`wants.${question.name}`, { step: provider.key, provide: MEMBER_PROVIDE }, { type: own(provider.role.declaration.provides, want.provide as string)?.type ?? 'any', sensitive: false })
  }
  if (chosen.length !== 1 || member === undefined) {
    const nodes = foldNames(chosen.map((each) => each.node))
    evaluation.report(error('WANT_AMBIGUOUS', range, `${role.role.name} wants ${want.provide} from one ${from}, and there are ${chosen.length}: ${nodes}.`, { fix: 'Say `many: true` for a list, or `only: founder`.' }))
    return FAILED
  }
  return named(question.name, evaluation.provide(provider, want.provide as string, member))
}

function whereAll(found: readonly BoundRole[]): string {
  const names = new Set(found.map((each) => each.role.name))
  return names.size === 1 ? `is in ${found.map((each) => each.deployment).join(' and in ')}` : `several act as: ${found.map((each) => each.key).join(' and ')}`
}

/** The bindings of the role that a want names, where it looks: more than one is ambiguous. */
export function providersOf({ allocated: { bound } }: Pick<Evaluation, 'allocated'>, { deployment }: BoundRole, want: WantDeclaration): readonly BoundRole[] {
  return findRole(bound, { role: want.from ?? '', deployment, only: want.deployment, node: null }).found
}

/** Where the role is bound that provides it, and what brings it into reach. */
function unmetFix({ allocated: { bound } }: Evaluation, { want, deployment }: WantQuestion): string {
  const from = want.from as string
  const elsewhere = [...bound.roles.values()].filter((role) => (bound.resolved.answering.get(from) ?? []).includes(role.role) && role.deployment !== deployment.name && (role.members.length > 0 || role.external !== null)).map((role) => role.deployment)
  const [first] = elsewhere
  if (first === undefined || want.deployment !== undefined) return `Bind ${from} there.`
  return `${from} is bound in ${elsewhere.join(' and in ')}: say \`after: [${first}]\` in the deployment ${deployment.name}, or \`deployment: ${first}\` in the want.`
}

const lists = new WeakMap<BoundRole, Map<string, readonly Json[]>>()

/** One list for all who want it, so that it is hashed and written once. */
function manyOf(evaluation: Evaluation, provider: BoundRole, name: string): readonly Json[] {
  const known = lists.get(provider) ?? new Map<string, readonly Json[]>()
  lists.set(provider, known)
  let values = known.get(name)
  if (values === undefined) {
    values = claimedMembers(evaluation.allocated, provider).map((member: BoundMember) => evaluation.provide(provider, name, member))
    known.set(name, values)
  }
  return values
}

/** A value that a step reports is read by the name of the want that brings it here. */
function named(name: string, value: Json): Json {
  if (value === null || typeof value !== 'object' || !('deferred' in value)) return value
  const { deferred } = value as unknown as { readonly deferred: { readonly expression: string; readonly inputs: { readonly [path: string]: Json }; readonly scope: Json } }
  const [input] = Object.values(deferred.inputs)
  if (deferred.expression !== '${value}' || input === undefined) return value
  return { deferred: { ...deferred, expression: `\${wants.${name}}`, inputs: { [`wants.${name}`]: input } } }
}

/** Whose attributes a want of another barclamp's attribute reads: those on the node, else those of each deployment that has it, else of none. */
export function subjectsOfAttribute(evaluation: Evaluation, { node }: Subject, barclamp: ResolvedBarclamp): readonly [Subject, ...Subject[]] {
  const { bound } = evaluation.allocated
  const of = (name: string, role: BoundRole | null): Subject => evaluation.subject({ barclamp, node, role, deployment: bound.resolved.deployments.get(name) ?? null })
  const offered = [...bound.roles.values()].filter((each) => each.role.barclamp === barclamp)
  const here = node === null ? [] : offered.filter((each) => memberOf(each, node.name) !== undefined).map((each) => of(each.deployment, each))
  const deployments = [...new Set(offered.filter((each) => each.members.length > 0).map((each) => each.deployment))].map((name) => of(name, null))
  const [first, ...others] = here.length > 0 ? here : deployments
  return first === undefined ? [evaluation.subject({ barclamp, node, role: null, deployment: null })] : [first, ...others]
}

function answerAttribute(evaluation: Evaluation, question: WantQuestion, attribute: string): Json {
  const { subject, role, want } = question
  const [name, ...path] = attribute.split('.') as [string, ...string[]]
  const barclamp = evaluation.allocated.bound.resolved.barclamps.get(name)
  if (barclamp === undefined) return null
  const subjects = subjectsOfAttribute(evaluation, subject, barclamp)
  const values = new Map<string, Json | undefined>()
  for (const each of subjects) {
    const value = evaluation.attribute(each, path)
    values.set(value === undefined ? '' : canonical(value), value)
  }
  const places = subjects.map((each) => each.role?.key ?? each.deployment?.name).join(', ')
  if (values.size > 1) return complain(evaluation, question, 'WANT_AMBIGUOUS', `${role.role.name} wants ${attribute}, which is not the same everywhere it could be read from: ${places}.`, 'Give it one value in the site document.')
  const [value] = values.values()
  if (value !== undefined) return value
  if (want.optional === true) return null
  return complain(evaluation, question, 'WANT_UNMET', `${role.role.name} wants ${attribute}, which has no value.`, `Set it below \`attributes\`, or give it a default in the barclamp ${name}.`)
}

function complain({ report }: Evaluation, { range, role, deployment }: WantQuestion, code: 'WANT_UNMET' | 'WANT_AMBIGUOUS', summary: string, fix: string): Json {
  const bound = rangeOf(deployment.document.source, ['roles', role.role.name], 'key')
  report(error(code, range, summary, { fix, related: [{ message: `${role.role.name} is bound here`, range: bound }] }))
  return FAILED
}

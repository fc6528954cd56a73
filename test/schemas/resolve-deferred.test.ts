import { describe, expect, test } from 'vitest'
import type { Deferred, DeferredInput } from '../../schemas/deferred.ts'
import { inputsOfDocument, resolveDocument } from '../../schemas/resolve-deferred.ts'
import type { Json } from '../../schemas/shape.ts'

const STEP = { step: 'd/s@n1', provide: 'token' } as const
const SECRET = { secret: 'db/root', version: '7-a0' } as const
const deferred = (expression: string, inputs: Readonly<Record<string, DeferredInput>>, more: Partial<Deferred['deferred']> = {}): Json => ({ deferred: { type: 'string', expression, scope: {}, inputs, sensitive: false, ...more } }) as unknown as Json
const known = (value: Json, sensitive = false) => (input: DeferredInput) => ('step' in input && input.provide === 'token' ? { value, sensitive } : undefined)

describe('resolveDocument', () => {
  test('a value becomes what its input is, wherever it stands', () => {
    const document = { wants: { list: [1, deferred('${wants.token}', { 'wants.token': STEP })], 'a/b': deferred('${value}', { value: STEP }) } }
    expect(resolveDocument(document, known('T'))).toEqual({ document: { wants: { list: [1, 'T'], 'a/b': 'T' } }, sensitive: [], missing: [], failed: [] })
  })

  test('an expression is evaluated over its scope, functions and all', () => {
    const scope = { node: { name: 'n2', addresses: { front: '10.0.0.7' } }, roles: { s: { addresses: ['a', 'b'] } }, networks: { admin: { vlan: 4 } }, deployment: { name: 'd', addresses: { api: 'v' } } }
    const expression = "${node.address('front')} ${role('s').addresses[1]} ${network('admin').vlan} ${deployment.address('api')} ${wants.token}"
    expect(resolveDocument(deferred(expression, { 'wants.token': STEP }, { scope }), known('T')).document).toBe('10.0.0.7 b 4 v T')
  })

  test('a deferred value inside the scope is worked out first', () => {
    const inner = deferred('x${wants.token}', { 'wants.token': STEP })
    const outer = deferred('${attributes.line}!', {}, { scope: { attributes: { line: inner } } as never })
    expect(resolveDocument(outer, known('T')).document).toBe('xT!')
    expect(inputsOfDocument(outer)).toEqual([STEP])
  })

  test('what is declared sensitive, or made from something sensitive, is named by pointer', () => {
    const document = { 'a~b': { 'c/d': deferred('${wants.token}', { 'wants.token': STEP }, { sensitive: true }) }, e: deferred('${wants.token}', { 'wants.token': STEP }) }
    expect(resolveDocument(document, known('T')).sensitive).toEqual(['/a~0b/c~1d'])
    expect(resolveDocument(document, known('T', true)).sensitive).toEqual(['/a~0b/c~1d', '/e'])
  })

  test('what is not there yet is missing, once, and the value stays as it was', () => {
    const secret = deferred('${wants.p}', { 'wants.p': SECRET })
    expect(resolveDocument([secret, secret, deferred('${wants.token}', { 'wants.token': STEP })], known('T'))).toEqual({ document: [secret, secret, 'T'], sensitive: [], missing: [SECRET], failed: [] })
  })

  test('a list may hold deferred values, and an expression may read it', () => {
    const list = [deferred('${value}', { value: STEP }), 'b']
    expect(resolveDocument(deferred("${wants.all.join(',')}", {}, { scope: { wants: { all: list } } as never }), known('T')).document).toBe('T,b')
  })

  test('a value of another type than planned is a failure, and nothing is coerced', () => {
    const { failed, document } = resolveDocument({ port: deferred('${wants.token}', { 'wants.token': STEP }, { type: 'integer' }) }, known('80'))
    expect(failed).toEqual([{ pointer: '/port', message: 'it was to be of type integer, and is not' }])
    expect(document).toHaveProperty(['port', 'deferred'])
    expect(resolveDocument(deferred('${wants.token}', { 'wants.token': STEP }, { type: 'integer' }), known(80)).document).toBe(80)
  })

  test('an expression that fails is a failure with its message', () => {
    const document = deferred('${wants.token.port}', { 'wants.token': STEP }, { type: 'any' })
    expect(resolveDocument(document, known({ other: 1 })).failed).toHaveLength(1)
    expect(resolveDocument(document, known({ port: 5 })).document).toBe(5)
  })
})

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { canonical, digest } from '../../../schemas/canonical.ts'
import { lockShape } from '../../../schemas/lock.ts'
import { planShape } from '../../../schemas/plan.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'
import { planId } from '../../../compiler/plan/plan.ts'
import { lockText } from '../../../compiler/allocate/lock-text.ts'
import type { Compiled } from '../../../compiler/compile.ts'
import { compileTree, compiled, documentOf, exampleTree, lacks, lockFile, machine, stepOf, success, withFiles } from '../compiling.ts'
import fc from '../../property.ts'

const FIRST_LIGHT = exampleTree('first-light')
const SEEN = {
  ...machine('m1', { macs: ['52:54:00:12:4d:01'], disks: [{ serial: 'FL-WEB-1' }] }),
  ...machine('m2', { macs: ['52:54:00:12:4d:02'], firmware: 'uefi', disks: [{ serial: 'FL-CLIENT-1' }, { serial: 'FL-DATA-1', bytes: 268_435_456 }] }),
}
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(planShape.json)

/** Compares with a golden file; CROWBAR_ACCEPT=1 rewrites it and the run fails all the same, so that somebody looks. */
function expectGolden(name: string, text: string): void {
  const path = fileURLToPath(new URL(`../../../site-examples/first-light/golden/${name}`, import.meta.url))
  if (process.env['CROWBAR_ACCEPT'] === '1') {
    mkdirSync(fileURLToPath(new URL('.', `file://${path}`)), { recursive: true })
    writeFileSync(path, text)
    throw new Error(`accepted ${name}: look at it, and run again`)
  }
  expect(text).toBe(readFileSync(path, 'utf8'))
}

const pretty = (value: unknown): string => `${JSON.stringify(sorted(value as Json), null, 2)}\n`
const sorted = (value: Json): Json => (value === null || typeof value !== 'object' ? value : Array.isArray(value) ? value.map((item) => sorted(item as Json)) : Object.fromEntries(Object.keys(value).toSorted().map((key) => [key, sorted((value as Readonly<Record<string, Json>>)[key] as Json)])))

describe('first-light', () => {
  test('its plan, before any machine has been seen', () => {
    const { plan, diagnostics } = success(compileTree(FIRST_LIGHT))
    expect(diagnostics).toEqual([])
    expectGolden('plan.json', pretty(plan))
  })

  test('its lock, one entry a line', () => {
    expectGolden('site.lock.json', lockText(success(compileTree(withFiles(FIRST_LIGHT, SEEN))).lock))
  })

  test('its plan with both machines seen', () => {
    const { plan, diagnostics } = success(compileTree(withFiles(FIRST_LIGHT, SEEN)))
    expect(diagnostics).toEqual([])
    expect(lacks(plan)).toEqual([])
    expect([plan.nodes['web']?.machine, plan.nodes['client']?.machine]).toEqual(['m1', 'm2'])
    expect(documentOf(plan, 'install@client')['install']).toMatchObject({ firmware: 'uefi', targets: [{ entry: 'system', serial: 'FL-CLIENT-1' }] })
    expectGolden('plan-with-machines.json', pretty(plan))
  })

  test('the steps that did not change keep their digests when the machines are seen', () => {
    const before = success(compileTree(FIRST_LIGHT)).plan
    const after = success(compileTree(withFiles(FIRST_LIGHT, SEEN))).plan
    for (const id of ['hello/hello-server@web', 'hello/hello-client@client', 'stage/packages-debian-12']) expect(stepOf(after, id).digest).toBe(stepOf(before, id).digest)
  })

  test('a second compilation under the new lock changes nothing', () => {
    const first = success(compileTree(withFiles(FIRST_LIGHT, SEEN)))
    const second = success(compileTree(withFiles(FIRST_LIGHT, { ...SEEN, ...lockFile(first.lock) })))
    expect(second.lockChanged).toBe(false)
    expect(second.plan).toEqual(first.plan)
  })
})

describe('a plan', () => {
  test('fits its schema, its id covers it, and every digest in it is there', () => {
    for (const tree of [FIRST_LIGHT, withFiles(FIRST_LIGHT, SEEN)]) {
      const { plan, blobs, lock } = success(compileTree(tree))
      expect(validate(plan) ? [] : validate.errors).toEqual([])
      const { id, ...rest } = plan
      expect(planId(rest)).toBe(id)
      expect(planId({ ...rest, crowbar: 'other' })).not.toBe(id)
      for (const [key, value] of Object.entries(plan.values)) expect(digest(value)).toBe(key)
      for (const step of plan.steps) {
        if (step.attributes !== null) expect(documentOf(plan, step.id)).toBeDefined()
        for (const artifact of step.artifacts) expect(plan.artifacts).toHaveProperty(artifact)
        if (step.content !== null) for (const file of Object.values(plan.contents[step.content] ?? {})) expect(blobs.get(file.sha256)?.length).toBe(file.bytes)
        for (const need of step.needs) expect(plan.steps.findIndex((each) => each.id === need.step)).toBeLessThan(plan.steps.indexOf(step))
      }
      expect(new Ajv2020({ strict: false }).compile(lockShape.json)(lock)).toBe(true)
    }
  })

  test('has the fields of its steps in the order in which they are hashed', () => {
    const { plan } = success(compileTree(withFiles(FIRST_LIGHT, SEEN)))
    expect(plan.steps.map((step) => JSON.stringify(step))).toEqual(plan.steps.map((step) => canonical(step)))
  })

  test('is the same whatever the order of the files', () => {
    const tree = withFiles(FIRST_LIGHT, SEEN)
    const expected = success(compileTree(tree)).plan
    fc.assert(
      fc.property(fc.shuffledSubarray([...tree.files], { minLength: tree.files.size }), (files) => {
        expect(JSON.stringify(success(compileTree({ commit: null, files: new Map(files) })).plan)).toBe(JSON.stringify(expected))
      }),
      { numRuns: 10 },
    )
  })

  test('makes another discover step of a node that is protected or no longer is', () => {
    const node = (more: string) => compiled({ 'a.yaml': `kind: node\nname: a\nos: debian-12\nmachine: { serial: a }\n${more}` }).plan
    expect(documentOf(node('protect: true\n'), 'discover@a')).toEqual({ machine: { machine: null, selector: 'serial a' }, protect: true })
    expect(documentOf(node('protect: false\n'), 'discover@a')).toEqual({ machine: { machine: null, selector: 'serial a' } })
    expect(stepOf(node('protect: false\n'), 'discover@a').digest).toBe(stepOf(node(''), 'discover@a').digest)
  })

  test('moves nothing that stands when unrelated nodes come and go', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'] as const
    const site = (chosen: readonly string[]) => ({
      ...Object.fromEntries(chosen.map((name) => [`${name}.yaml`, `kind: node\nname: ${name}\nos: debian-12\nmachine: { tags: [${name}] }\n---\nkind: machine\nserial: serial-m${names.indexOf(name as 'a')}\ntags: [${name}]\n`])),
      ...Object.assign({}, ...names.map((_, i) => machine(`m${i}`))),
      'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: {} }\n',
      'z.yaml': 'kind: deployment\nname: d\nroles: { r: { where: "true" } }\n',
    })
    const standing = ({ plan, lock }: { readonly plan: Plan; readonly lock: Extract<Compiled, { readonly ordered: unknown }>['lock'] }, name: string) => ({
      machine: plan.nodes[name]?.machine,
      address: plan.nodes[name]?.addresses['admin'],
      node: lock.nodes[name]?.index,
      role: lock.bindings['d/r']?.members[name],
    })
    fc.assert(
      fc.property(fc.subarray([...names], { minLength: 1 }), fc.subarray([...names], { minLength: 1 }), (before, after) => {
        const first = compiled(site(before))
        const second = compiled({ ...site(after), ...lockFile(first.lock) })
        for (const name of before.filter((each) => after.includes(each))) expect(standing(second, name)).toEqual(standing(first, name))
        const indexes = Object.values(second.lock.bindings['d/r']?.members ?? {})
        expect(new Set(indexes).size).toBe(indexes.length)
        for (const name of after.filter((each) => !before.includes(each))) expect(second.lock.bindings['d/r']?.members[name]).toBeGreaterThanOrEqual(before.length)
      }),
      { numRuns: 15 },
    )
  })
})

import { describe, expect, test } from 'vitest'
import { artifactInputs, artifactsPath } from '../../../schemas/artifacts.ts'
import type { Artifacts } from '../../../schemas/artifacts.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import { change } from '../../../compiler/change/change.ts'
import { ledgerOfPlan } from '../../../compiler/change/ledger-of-plan.ts'
import { diffMarkdown } from '../../../compiler/print/diff-markdown.ts'
import { diffText } from '../../../compiler/print/diff-text.ts'
import { compiled, compileTexts } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const SITE: Texts = {
  'a.yaml': `kind: node
name: a
machine: { mac: "52:54:00:00:00:0a" }
os: box
---
kind: os
name: box
family: debian
version: "12"
architecture: amd64
install: joined
source: debian-bookworm
---
kind: deployment
name: d
roles: { web: { nodes: [a] } }
`,
  'barclamps/w/barclamp.yaml': 'kind: barclamp\nname: w\nversion: 1.0.0\nroles: { web: { jig: noop, packages: { debian: [lighttpd] } } }\n',
}

const one = (version: string, sha256 = 'a'): Artifacts['packages'][string] => ({ version, architecture: 'amd64', from: 'bookworm', path: `pool/x_${version}.deb`, sha256: sha256.repeat(64), bytes: 10 })

function content(packages: Artifacts['packages'], brought = ['lighttpd']): Artifacts {
  const os = { family: 'debian', version: '12', architecture: 'amd64', install: 'joined', packages: [] }
  const source = { name: 'debian-bookworm', suites: ['bookworm'], components: ['main'] }
  return { kind: 'artifacts', version: 1, set: 'packages-box', os: 'box', flavour: 'container', source: 'debian-bookworm', inputs: artifactInputs({ kind: 'packages', os, sources: [source], packages: brought }), releases: [], wanted: brought, packages }
}

/** A site with a lock that names what is in a file. */
function locked(packages: Artifacts, { named = packages, text = JSON.stringify(packages) }: { readonly named?: Artifacts; readonly text?: string } = {}): Texts {
  const hash = digestBytes(JSON.stringify(named))
  const lock = { kind: 'lock', version: 1, claims: {}, nodes: {}, bindings: {}, addresses: {}, barclamps: {}, artifacts: { 'packages-box': hash } }
  return { ...SITE, 'site.lock.json': JSON.stringify(lock), [artifactsPath(hash)]: text }
}

const OLD = content({ lighttpd: one('1.4.69-1'), 'lib-old': one('1') })

describe('locked packages', () => {
  test('are not known of a site that has none, and the plan says how to lock them', () => {
    const { plan, lock } = compiled(SITE)
    expect(plan.missing).toContainEqual({ what: 'packages', for: 'stage/packages-box', because: 'their versions are not locked: `crowbar lock --update debian-bookworm`' })
    expect(plan.complete).toBe(false)
    expect(lock.artifacts).toEqual({})
  })

  test('are part of the plan, of the digest of their step and of no other', () => {
    const [bare, full] = [compiled(SITE).plan, compiled(locked(OLD)).plan]
    expect(full.missing.filter(({ what }) => what === 'packages')).toEqual([])
    expect(full.artifacts['packages-box']?.locked).toBe(digestBytes(JSON.stringify(OLD)))
    const changed = full.steps.filter(({ id, digest }) => bare.steps.find((step) => step.id === id)?.digest !== digest).map(({ id }) => id)
    expect(changed).toEqual(['stage/packages-box'])
    expect(compiled(locked(OLD)).lock.artifacts).toEqual({ 'packages-box': digestBytes(JSON.stringify(OLD)) })
  })

  test('that were locked for other packages than the site asks for now do not count', () => {
    const { plan } = compiled(locked(content({}, ['nginx'])))
    expect(plan.artifacts['packages-box']?.locked).toBeUndefined()
    expect(plan.missing).toContainEqual({ what: 'packages', for: 'stage/packages-box', because: 'the site asks for others than are locked: `crowbar lock --update debian-bookworm`' })
  })

  test.each([
    ['a file that was edited', locked(OLD, { text: JSON.stringify(OLD).replace('1.4.69', '6.6.66') }), 'ARTIFACTS_INVALID'],
    ['a file that is about another set', locked({ ...OLD, set: 'packages-other' }), 'ARTIFACTS_INVALID'],
    ['a file that is cut off', { ...locked(OLD), [artifactsPath(digestBytes(JSON.stringify(OLD)))]: '{' }, 'ARTIFACTS_INVALID'],
    ['no file', Object.fromEntries(Object.entries(locked(OLD)).filter(([path]) => !path.startsWith('artifacts/'))), 'ARTIFACTS_MISSING'],
    ['a digest that is none', { ...locked(OLD), 'site.lock.json': (locked(OLD)['site.lock.json'] ?? '').replace(/"sha256:[0-9a-f]{64}"/, '"../../etc/passwd"') }, 'ARTIFACTS_MISSING'],
  ])('%s is an error', (_, texts, code) => {
    expect(compileTexts(texts).diagnostics).toMatchObject([{ code, severity: 'error' }])
  })

  test('of two commits are compared package by package', () => {
    const before = compiled(locked(OLD)).plan
    const after = compiled(locked(content({ lighttpd: one('1.4.69-1+deb12u1', 'b'), 'lib-new': one('2') }))).plan
    const { ledger, options } = ledgerOfPlan(before)
    const changes = change(ledger, after, options)
    expect(changes.changes.map(({ step, consequence, causes }) => [step.id, consequence, causes.map(({ kind, path, before: a, after: b }) => [kind, path, a, b])])).toEqual([
      ['stage/packages-box', 'none', [['packages', 'lib-new', null, '2'], ['packages', 'lib-old', '1', null], ['packages', 'lighttpd', '1.4.69-1', '1.4.69-1+deb12u1']]],
    ])
    const block = 'PACKAGES  packages-box: 1 version changed, 1 added, 1 removed\n  lighttpd  1.4.69-1 -> 1.4.69-1+deb12u1\n  + lib-new 2\n  - lib-old 1\n'
    expect(diffText(changes, after)).toContain(block)
    expect(diffMarkdown(changes, after)).toContain(`\`\`\`text\n${block}\`\`\``)
  })

  test('whose file is another one under the same version say so', () => {
    const { ledger, options } = ledgerOfPlan(compiled(locked(OLD)).plan)
    const after = compiled(locked(content({ ...OLD.packages, lighttpd: one('1.4.69-1', 'c') }))).plan
    expect(change(ledger, after, options).changes[0]?.causes).toMatchObject([{ path: 'lighttpd', before: '1.4.69-1', after: '1.4.69-1 (another file)' }])
  })
})

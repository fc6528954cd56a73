import { describe, expect, test } from 'vitest'
import { compiled, compileTexts } from '../compiling.ts'
import type { Texts } from '../compiling.ts'
import { artifactInputs } from '../../../schemas/artifacts.ts'
import type { BuildInputs } from '../../../schemas/artifacts.ts'

const SOURCE = 'kind: source\nname: greet\ntype: git\nupstream: https://git.example.com/greet.git\nref: main\npatches: [a.patch]\nbuild: { with: make, packages: [greet], depends: [greet-data] }\n'
const DATA = '---\nkind: source\nname: data\ntype: git\nupstream: https://git.example.com/data.git\nref: v1\nbuild: { with: make, packages: [greet-data] }\n'
const PATCH = '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n'
const SITE: Texts = {
  'a.yaml': 'kind: node\nname: a\nmachine: { mac: "52:54:00:00:00:0a" }\nos: debian-12\n---\nkind: node\nname: b\nmachine: { mac: "52:54:00:00:00:0b" }\nos: debian-13\n---\nkind: deployment\nname: d\nroles: { web: { nodes: [a] }, other: { nodes: [b] } }\n',
  'barclamps/w/barclamp.yaml': 'kind: barclamp\nname: w\nversion: 1.0.0\nroles: { web: { jig: noop, packages: { debian: [greet] } }, other: { jig: noop, packages: { debian: [lighttpd] } } }\n',
  'a.patch': PATCH,
  'sources.yaml': SOURCE + DATA,
}

describe('packages that are built from a git source', () => {
  test('belong to the sets of the systems whose roles name them, with what they are said to depend on', () => {
    const { artifacts, sources } = compiled(SITE).plan
    expect([artifacts['packages-debian-12']?.builds, artifacts['packages-debian-13']?.builds]).toEqual([['data', 'greet'], undefined])
    expect(sources['greet']).toMatchObject({ ref: 'main', patches: [{ path: 'a.patch', text: Buffer.from(PATCH).toString('base64') }], build: { with: 'make' }, at: 'sources.yaml:7:1' })
  })

  test('are built after those that they are built with', () => {
    const { artifacts } = compiled({ ...SITE, 'sources.yaml': SOURCE.replace('depends: [greet-data]', 'needs: [greet-data, zlib1g-dev]') + DATA }).plan
    expect(artifacts['packages-debian-12']?.builds).toEqual(['data', 'greet'])
  })

  test('are locked still when a build may use more', () => {
    const inputs = (build: string): string => artifactInputs({ kind: 'packages', os: { family: 'debian', version: '12', architecture: 'amd64', install: 'image', packages: [] }, sources: [], packages: ['greet'], builds: [{ name: 'greet', build: JSON.parse(build) as BuildInputs['build'] }] })
    const plain = '"with":"make","packages":["greet"]'
    expect(inputs(`{${plain},"timeout":"2h","limits":{"memory":"4GiB"}}`)).toBe(inputs(`{${plain}}`))
    expect(inputs(`{${plain},"revision":2}`)).not.toBe(inputs(`{${plain}}`))
  })

  test.each([
    ['no git source', SOURCE.replace('type: git', 'type: file'), 'BUILD_INVALID', 'sources.yaml:6:1'],
    ['no ref', SOURCE.replace('ref: main\n', ''), 'BUILD_INVALID', 'sources.yaml:6:1'],
    ['a ref that git would take for an option', SOURCE.replace('main', '--exec=x'), 'VALUE_INVALID', 'sources.yaml:5:6'],
    ['two packages of a builder that gives one', SOURCE.replace('[greet]', '[greet, greet-doc]'), 'BUILD_INVALID', 'sources.yaml:7:32'],
    ['no such builder', SOURCE.replace('make', 'maek'), 'VALUE_INVALID', 'sources.yaml:7:16'],
    ['a name that no package has', SOURCE.replace('[greet]', '["greet; rm"]'), 'VALUE_INVALID', 'sources.yaml:7:33'],
    ['a package that another gives', `${SOURCE}${DATA.replace('[greet-data]', '[greet]')}`, 'BUILD_INVALID', 'sources.yaml:7:33'],
    ['no such patch', SOURCE.replace('a.patch', 'b.patch'), 'PATCH_INVALID', 'sources.yaml:6:11'],
    ['a patch that is none', SOURCE.replace('a.patch', 'a.yaml'), 'PATCH_INVALID', 'sources.yaml:6:11'],
    ['a size without a unit', SOURCE.replace('build: {', 'build: { limits: { memory: 4096 },'), 'VALUE_INVALID', 'sources.yaml:7:28'],
    ['built with what is built with it', SOURCE.replace('depends', 'needs') + DATA.replace('[greet-data] }', '[greet-data], needs: [make, greet] }'), 'BUILD_INVALID', 'sources.yaml:7:49'],
    ['built with itself', SOURCE.replace('depends: [greet-data]', 'needs: [greet]'), 'BUILD_INVALID', 'sources.yaml:7:49'],
    ['a submodule from nowhere', `${SOURCE}submodules: { lib: nowhere }\n`, 'REFERENCE_UNKNOWN', 'sources.yaml:8:20'],
  ])('%s: a diagnostic with its place', (_, text, code, at) => {
    const { diagnostics } = compileTexts({ ...SITE, 'sources.yaml': text })
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((one) => `${one.code} ${one.range?.path ?? ''}:${String(one.range?.start.line)}:${String(one.range?.start.column)}`)).toContain(`${code} ${at}`)
  })
})

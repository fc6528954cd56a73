import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { diffMarkdown } from '../../../compiler/print/diff-markdown.ts'
import { diffText } from '../../../compiler/print/diff-text.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'
import { columnsOf } from '../../../compiler/diagnostics/width.ts'
import { expectGolden } from '../../builders/golden.ts'
import { applied, disk, folded, machine, stepOf, wasSent } from '../../builders/ledger.ts'
import { buildPlan } from '../../builders/plan.ts'
import { reviewedSite } from '../../builders/reviewed-site.ts'
import fc from '../../property.ts'

const golden = (name: string): URL => new URL(`golden/${name}`, import.meta.url)

interface Case {
  readonly changes: Changes
  readonly plan: Plan
}

function reviewed(): Case {
  const { before, after } = reviewedSite
  const machines = Object.values(before.nodes).map((node) => machine(node.machine ?? '', [disk('d0', 'gpt: efi, ext4 /'), disk('d1', 'lvm: scratch', { serial: 'PHYF0091', bytes: 3_840_755_982_336 })]))
  const places: { readonly [path: string]: string } = { 'ntp.servers': 'site.yaml:7:29', 'wants.password': 'secrets/database/root.age' }
  const at = (step: string, path: string | null): string | null => (path === null ? (step.includes('exporter') ? 'metrics.yaml:6:3' : null) : (places[path] ?? null))
  return { changes: change(applied(before, { machines }), after, { at }), plan: after }
}

/** 3,000 nodes: 40 get another os, the rest an attribute each of its own; one role goes that undoes nothing. */
function large(): Case {
  const names = Array.from({ length: 3000 }, (_, index) => `n-${String(index + 1).padStart(4, '0')}`)
  const site = (os: string, port: number, after: boolean): Plan =>
    buildPlan({
      nodes: Object.fromEntries(names.map((name, index) => [name, { os: index < 40 ? os : 'debian-12', targets: [name] }])),
      roles: [{ role: 'a', on: names, attributes: { port }, perNode: after ? Object.fromEntries(names.map((name, index) => [name, { me: index }])) : {} }, ...(after ? [] : [{ role: 'gone', on: names }])],
    })
  const machines = names.map((name) => machine(`m-${name}`, [disk(name, 'gpt: efi, ext4 /')]))
  const plan = site('debian-13', 2, true)
  return { changes: change(applied(site('debian-12', 1, false), { machines }), plan), plan }
}

/** What stops: a protected node, a removal that deletes data, a policy; values that try to be something else; a working tree. */
function refused(): Case {
  const list = (length: number): readonly string[] => Array.from({ length }, (_, index) => `10.0.0.${index}`)
  const before = buildPlan({ nodes: { db1: {}, db2: {}, old: {} }, roles: [{ role: 'x', on: ['db2'], attributes: { list: list(29), text: 'short' } }, { role: 'y', on: ['db2'], removal: { entry: 'drop.sh', deletesData: true } }] })
  const evil = 'evil \u001b[31m\u202e``` </details> | text that is rather long and goes on, to see how it wraps'
  const after = buildPlan({ nodes: { db1: { protect: true, os: 'debian-13', at: 'db.yaml:4:3' }, db2: {} }, roles: [{ role: 'x', on: ['db2'], attributes: { list: list(30), text: evil }, files: { 'run.sh': 'b', 'n.conf': '1' } }] })
  const plan: Plan = { ...after, source: { ...after.source, commit: null } }
  const changes = change(applied(before, { machines: [machine('m-db1', [disk('d0', 'gpt \u001b[2J', { model: '`|<b>' })])] }), plan)
  return { plan, changes: { ...changes, violations: [{ policy: 'databases-by-hand', level: 'deny', message: 'database nodes are reinstalled by hand only', at: 'policies.yaml:3:8' }] } }
}

/** A token that another node's step tells, a barclamp's files, a role that failed before, a node on blank disks, a node that joins. */
function mixed(): Case {
  const token: Json = { deferred: { type: 'string', expression: '${wants.token}', scope: {}, inputs: { 'wants.token': { step: 'app/server@n1', provide: 'token' } }, sensitive: true } }
  const site = (files: { readonly [path: string]: string }, more: boolean): Plan =>
    buildPlan({
      commit: more ? 'bbbbbbbbbb' : 'aaaaaaaaaa',
      nodes: { n1: {}, n2: {}, n3: {}, ...(more ? { n4: {}, j1: { method: 'joined' } } : {}) },
      roles: [
        { role: 'server', deployment: 'app', on: ['n1'], files, provides: { token: { type: 'string', sensitive: true } }, onChange: { default: 'restart' } },
        { role: 'client', deployment: 'app', on: ['n2', 'n3'], wants: { token }, needs: ['app/server@n1'], onChange: { wants: 'restart' } },
        { role: 'logs', on: ['n1', 'n2', 'n3', ...(more ? ['n4', 'j1'] : [])] },
      ],
    })
  const before = site({ 'run.sh': 'a', 'conf/main.template': 'b' }, false)
  const plan = site({ 'run.sh': 'a', 'conf/main.template': 'c' }, true)
  const machines = ['n1', 'n2', 'n3', 'n4'].map((name) => machine(`m-${name}`, [disk('d0', name === 'n4' ? 'blank' : 'gpt: efi, ext4 /')]))
  const ledger = folded(applied(before, { machines }), [wasSent(stepOf(before, 'base/logs@n3'), before)])
  return { plan, changes: change(ledger, plan) }
}

function first(): Case {
  const plan = buildPlan({ nodes: { store: { machine: null }, web: {} }, roles: [{ role: 'server', on: ['web'] }, { role: 'client', on: ['store'] }], missing: [{ what: 'machine', for: 'node/store', because: 'no machine where size(machine.disks) >= 2 has been seen' }] })
  return { plan, changes: change({ ...EMPTY_LEDGER, machines: { 'm-web': machine('m-web', [disk('d0'), disk('d1', 'ext4 without a partition table')]) } }, plan) }
}

const once = (make: () => Case): (() => Case) => {
  let made: Case | undefined
  return () => (made ??= make())
}
const CASES = { reviewed: once(reviewed), large: once(large), refused: once(refused), first: once(first), mixed: once(mixed) }

describe('the text of changes', () => {
  for (const [name, make] of Object.entries(CASES)) {
    it(`is what a reviewer reads: ${name}`, () => {
      const { changes, plan } = make()
      const machines = { 'm-compute-017': { label: '4XK2F13, PowerEdge R650', seen: '2026-02-27T10:11:12.000Z' } }
      expectGolden(diffText(changes, plan, { machines }), golden(`${name}.txt`))
    })

    it(`is at most 80 columns wide, and says nothing twice as a control character: ${name}`, () => {
      const { changes, plan } = make()
      for (const line of diffText(changes, plan).split('\n')) {
        expect(line.length, line).toBeLessThanOrEqual(80)
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      }
    })
  }

  it('of 3,000 nodes fits a screen, with the exact list on request', () => {
    const { changes, plan } = CASES.large()
    expect(diffText(changes, plan).split('\n').length).toBeLessThan(50)
    const full = diffText(changes, plan, { full: true })
    for (const serial of ['S-n-0001', 'S-n-0033', 'S-n-0040']) expect(full).toContain(serial)
  })

  it('names every disk that is wiped, and every one that is kept, by serial', () => {
    const { changes, plan } = CASES.reviewed()
    const text = diffText(changes, plan)
    expect(text).toMatch(/WIPE {2}compute-017 .*\n(?: .*\n)* {2}wiped .* S-d0 .*\n {2}kept .* PHYF0091 /)
  })

  it('ends with the command that is needed, and nothing more', () => {
    const { changes, plan } = CASES.reviewed()
    expect(diffText(changes, plan)).toContain('\nNEXT  crowbar apply --ref 9d03e77 --approve install@compute-017\n')
    const { changes: stopped, plan: its } = CASES.refused()
    expect(diffText(stopped, its)).toContain('\nNEXT  crowbar apply --approve base/y@db2#remove\n')
  })

  it('says that there is no ledger instead of taking it for an empty cluster', () => {
    const { plan } = CASES.first()
    expect(diffText(change(EMPTY_LEDGER, plan), plan)).toContain('no ledger, as if nothing had run')
  })

  it('says which node has which name from now on, alone and beside other work', () => {
    const site = (second: string, more: { readonly [name: string]: object } = {}): Plan => buildPlan({ commit: 'bbbbbbbbbb', nodes: { n1: {}, [second]: { machine: 'm-n2', index: 1 }, ...more }, roles: [{ role: 'x', on: ['n1', second] }] })
    const at = (step: string, path: string | null): string | null => (step === 'discover@web' && path === 'moved' ? 'nodes.yaml:7:3' : null)
    const ledger = applied(site('n2'), { machines: [machine('m-n1', [disk('d0')]), machine('m-n2', [disk('d0', 'gpt: ext4 /')])] })
    const alone = change(ledger, site('web'), { at })
    expect(diffText(alone, site('web')).split('\n').slice(2)).toStrictEqual([
      '  RENAME    1 node   n2 becomes web',
      '  Nothing else: 0 wipes, 0 reinstalls, 0 releases, 0 removals, 0 reboots, 0',
      '  network changes, 0 restarts, 0 addresses or claims moved. 6 steps stand as',
      '  they are. Not touched: n1.',
      '  Also looks for web.',
      '',
      'RENAME  n2 becomes web                                            nodes.yaml:7:3',
      '  First of all, and nothing is installed again: host name and /etc/hosts follow,',
      '  and what mentions the name runs below.',
      '',
      'NEXT  crowbar apply --ref bbbbbbb',
      '',
    ])
    expect(diffMarkdown(alone, site('web'))).toContain('| **RENAME** | 1 | n2 becomes web |  |')
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [index + 2, index]))
    const before = buildPlan({ nodes: Object.fromEntries(Object.keys(many).map((name) => [`a${name}`, { machine: `m-${name}` }])), roles: [] })
    const after = buildPlan({ nodes: Object.fromEntries(Object.keys(many).map((name) => [`b${name}`, { machine: `m-${name}` }])), roles: [] })
    const text = diffText(change(applied(before), after), after)
    expect([text.match(/^RENAME/gm)?.length, text.includes('... and 3 nodes more: --full')]).toStrictEqual([6, true])
    expect(diffText(change(applied(before), after), after, { full: true }).match(/^RENAME/gm)?.length).toBe(9)
  })

  it('says when there is nothing to do', () => {
    const { before } = reviewedSite
    expect(diffText(change(applied(before), before), before)).toMatch(/\nNothing to do: 394 steps stand as they are\.\n$/)
  })

  it('has colours only on request, and the same words', () => {
    const { changes, plan } = CASES.reviewed()
    const plain = diffText(changes, plan)
    const painted = diffText(changes, plan, { color: true })
    expect(painted).toContain('\u001b[1;31mWIPE\u001b[0m')
    // oxlint-disable-next-line no-control-regex
    expect(painted.replace(/\u001b\[[0-9;]*m/g, '')).toBe(plain)
  })

  it('shows where two long values differ, within eighty columns', () => {
    const site = (v: Json): Plan => buildPlan({ nodes: { n1: {} }, roles: [{ role: 'x', on: ['n1'], attributes: { v } }] })
    const textOf = (before: Json, after: Json, options = {}): string => diffText(change(applied(site(before)), site(after)), site(after), options)
    const long = textOf(`${'a'.repeat(5000)}old${'b'.repeat(5000)}`, `${'a'.repeat(5000)}new${'b'.repeat(5000)}`)
    expect(long).toMatch(/ \.\.\.a{20}oldb{30,}/)
    expect(long).toMatch(/-> \.\.\.a{20}newb{30,}/)
    const wide = textOf('日本語'.repeat(30), '한국어 '.repeat(30))
    const full = textOf('a'.repeat(3000), 'b'.repeat(3000), { full: true })
    for (const text of [long, wide, full]) expect(text.split('\n').filter((line) => columnsOf(line) > 80)).toEqual([])
    expect(full.match(/b/g)?.length).toBeGreaterThanOrEqual(3000)
  })

  it('prints no value that a secret went into, in any form', () => {
    const url = (version: number): Json => ({ deferred: { type: 'string', expression: '${wants.password}', scope: { salt: 'hunter2' }, inputs: { p: { secret: 'db/root', version: String(version) } }, sensitive: true } })
    const site = (version: number): Plan => buildPlan({ nodes: { n1: {} }, roles: [{ role: 'x', on: ['n1'], attributes: { url: url(version) } }] })
    const changes = change(applied(site(1)), site(2))
    for (const text of [diffText(changes, site(2), { full: true }), diffMarkdown(changes, site(2)), JSON.stringify(changes)]) expect(text).not.toContain('hunter2')
    expect(diffText(changes, site(2))).toContain('secret db/root, v1 -> v2')
  })
})

describe('the Markdown of changes', () => {
  for (const name of ['reviewed', 'refused'] as const) {
    it(`is what a pull request shows: ${name}`, () => {
      const { changes, plan } = CASES[name]()
      expectGolden(diffMarkdown(changes, plan), golden(`${name}.md`))
    })
  }

  it('stays under its limit and is never cut inside a table, a list or a fence', () => {
    const made = [CASES.reviewed(), CASES.refused(), CASES.first(), CASES.mixed()]
    fc.assert(
      fc.property(fc.constantFrom(...made), fc.integer({ min: 60, max: 9000 }), fc.boolean(), ({ changes, plan }, maxBytes, full) => {
        const text = diffMarkdown(changes, plan, { maxBytes, full })
        expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(maxBytes)
        expect(text.endsWith('\n')).toBe(true)
        let fence: string | null = null
        for (const line of text.split('\n')) {
          const mark = /^(`{3,})/.exec(line)?.[1] ?? null
          if (fence === null && mark !== null) fence = mark
          else if (fence !== null && line === fence) fence = null
          else if (fence === null && line.startsWith('|')) expect(line).toMatch(/^\|.*\|$/)
        }
        expect(fence).toBe(null)
        expect(text.split('<details').length).toBe(text.split('\n</details>').length)
      }),
      { numRuns: 200 },
    )
  })

  it('of 3,000 nodes fits into a comment', () => {
    const { changes, plan } = CASES.large()
    for (const full of [true, false]) expect(new TextEncoder().encode(diffMarkdown(changes, plan, { full })).length).toBeLessThanOrEqual(60_000)
  })

  it('keeps the summary longest, and what policies object to before what happens', () => {
    const { changes, plan } = CASES.refused()
    const whole = diffMarkdown(changes, plan)
    const objection = whole.indexOf('database nodes are reinstalled by hand only')
    expect([objection > 0, objection < whole.indexOf('<details')]).toEqual([true, true])
    const shown = Array.from({ length: 60 }, (_, i) => diffMarkdown(changes, plan, { maxBytes: 200 + 20 * i }))
    for (const text of shown) if (text.includes('crowbar apply')) expect(text).not.toMatch(/of the summary left out/)
    expect(shown.filter((text) => text.includes('| **') && !text.includes('crowbar apply')).length).toBeGreaterThan(0)
    // What is too short for anything is a sentence, and no half of a mark.
    expect(diffMarkdown(changes, plan, { maxBytes: 100 })).not.toMatch(/[*#]/)
  })

  it('keeps what is worst when there is little room', () => {
    const { changes, plan } = CASES.reviewed()
    const text = diffMarkdown(changes, plan, { maxBytes: 1400 })
    expect(text).toContain('S-d0')
    expect(text).toMatch(/_[0-9] parts left out/)
    expect(text).not.toContain('<summary>RESTART')
  })
})

import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { judge, policiesOf } from '../../../compiler/judge/judge.ts'
import { digest } from '../../../schemas/canonical.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Json } from '../../../schemas/shape.ts'
import { codes, compiled, compileTexts } from '../compiling.ts'

const NODES = 'kind: node\nname: db1\nos: debian-12\nmachine: { serial: a }\n---\nkind: node\nname: web1\nos: debian-12\nmachine: { serial: b }\n'
const policy = (check: string, level = 'deny') => `kind: policy\nname: p\nlevel: ${level}\ncheck: ${JSON.stringify(check)}\nmessage: by hand only\n`

function judged(check: string, level?: string): Changes {
  const { plan, ordered } = compiled({ 'n.yaml': NODES, 'p.yaml': policy(check, level) })
  return judge(change(EMPTY_LEDGER, plan), plan, ordered.injected.allocated.bound.resolved.site.policies)
}

describe('a policy', () => {
  it('holds, or is violated at its line', () => {
    expect(judged("!changes.exists(c, c.consequence == 'wipe' && c.node.startsWith('cache'))").violations).toStrictEqual([])
    const denied = judged("!changes.exists(c, c.consequence == 'wipe' && c.node.startsWith('db'))")
    expect(denied.violations).toStrictEqual([{ policy: 'p', level: 'deny', message: 'by hand only', at: 'p.yaml:4:8' }])
    const { id, ...rest } = denied
    expect(id).toBe(digest(rest as unknown as Json))
  })

  it('reads the plan, where what is not there is empty', () => {
    expect(judged("plan.nodes['db1'].machine == '' && plan.nodes['adm'].admin && plan.nodes.size() == 3 && !plan.complete && plan.site.name == 'test'").violations).toStrictEqual([])
    expect(judged("changes.filter(c, c.kind == 'stage').all(c, c.node == '')", 'warn').violations).toStrictEqual([])
    expect(judged("changes.size() == 0", 'advise').violations.map(({ level }) => level)).toStrictEqual(['advise'])
  })

  it('reads the steps of the plan', () => {
    expect(judged("plan.steps.exists(s, s.id == 'install@db1' && s.kind == 'install' && s.destructive && 'discover@db1' in s.needs) && plan.nodes.all(n, plan.nodes[n].admin || plan.steps.exists_one(s, s.kind == 'install' && s.node == n))").violations).toStrictEqual([])
    expect(judged("plan.steps.all(s, s.kind != 'install')").violations).toHaveLength(1)
  })

  it('that cannot be evaluated is violated', () => {
    expect(judged("plan.nodes['gone'].admin").violations[0]?.message).toContain('by hand only (it cannot be judged: ')
  })

  it('that is no condition is an error of the site, with a caret', () => {
    const at = (check: string) => codes(compileTexts({ 'n.yaml': NODES, 'p.yaml': policy(check) }))
    expect(at("changes.exists(c, c.consequense == 'wipe')")).toEqual(['EXPRESSION_INVALID p.yaml:4:29'])
    expect(at('plan.site.name')).toEqual(['EXPRESSION_INVALID p.yaml:4:9'])
    expect(at('true &&')).toEqual(['EXPRESSION_INVALID p.yaml:4:16'])
  })
})

describe('a policy of the commit before', () => {
  const denied = "!changes.exists(c, c.consequence == 'wipe' && c.node.startsWith('db'))"
  const site = (text: string) => compiled({ 'n.yaml': NODES, 'p.yaml': text })
  const now = (text: string): readonly string[] => {
    const before = site(policy(denied))
    const after = site(text)
    return judge(change(EMPTY_LEDGER, after.plan), after.plan, policiesOf(after), policiesOf(before)).violations.map(({ policy: name, level, at }) => `${name} ${level} ${at}`)
  }

  it('counts when it is gone, changed or weaker, and not twice when it stands or is stronger', () => {
    expect(now('')).toEqual(['p deny p.yaml:4:8'])
    expect(now(policy('true'))).toEqual(['p deny p.yaml:4:8'])
    expect(now(policy(denied, 'warn'))).toEqual(['p warn p.yaml:4:8', 'p deny p.yaml:4:8'])
    expect(now(policy(denied))).toEqual(['p deny p.yaml:4:8'])
  })
})

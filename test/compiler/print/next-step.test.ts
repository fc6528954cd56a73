import { expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { applyCommand } from '../../../compiler/print/next-step.ts'
import { applied, disk, machine } from '../../builders/ledger.ts'
import { buildPlan } from '../../builders/plan.ts'
import type { NodeSketch } from '../../builders/plan.ts'

const NAMES = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7']
const nodes = (sketch: NodeSketch): { readonly [name: string]: NodeSketch } => Object.fromEntries(NAMES.map((name) => [name, sketch]))
const ledger = applied(buildPlan({ nodes: nodes({}) }), { machines: NAMES.map((name) => machine(`m-${name}`, [disk('d0', 'gpt: efi, ext4 /')])) })

test('many installs are approved by one glob, unless that would allow one whose disks nobody has seen', () => {
  const seen = change(ledger, buildPlan({ nodes: nodes({ os: 'debian-13' }) }))
  expect(applyCommand(seen)?.join(' ')).toContain("--approve 'install@*'")
  const more = change(ledger, buildPlan({ nodes: { ...nodes({ os: 'debian-13' }), n8: { machine: 'm-unseen' } } }))
  const command = applyCommand(more)?.join(' ') ?? ''
  expect(command).not.toContain('*')
  expect(NAMES.every((name) => command.includes(`--approve install@${name}`))).toBe(true)
  expect(command).not.toContain('n8')
})

test('many removals that delete data are approved by one glob, unless it means something else, too', () => {
  const removal = { entry: 'remove.sh', deletesData: true }
  const cache = (on: readonly string[]) => ({ role: 'cache', deployment: 'd', on, removal })
  const before = applied(buildPlan({ nodes: nodes({}), roles: [cache(NAMES)] }))
  expect(applyCommand(change(before, buildPlan({ nodes: nodes({}) })))).toStrictEqual(["crowbar apply --ref c0ffee0 --approve 'd/cache@*#remove'"])
  const six = applyCommand(change(before, buildPlan({ nodes: nodes({}), roles: [cache(['n7'])] })))?.join(' ') ?? ''
  expect(six.match(/--approve d\/cache@n[1-6]#remove/g)).toHaveLength(6)
})

import { describe, expect, it } from 'vitest'
import { approvalCovers, approvalFor, approvalKey, diskIsKnownBlank } from '../../schemas/approval.ts'
import type { ApprovalSubject } from '../../schemas/approval.ts'
import type { InstallTarget } from '../../schemas/install.ts'
import type { DiskState } from '../../schemas/inventory.ts'
import { disk } from '../builders/ledger.ts'
import { TARGET_BYTES } from '../builders/plan.ts'
import fc from '../property.ts'

const target = (id: string): InstallTarget => ({ entry: 'system', id, serial: `S-${id}`, bytes: TARGET_BYTES })
const step = { id: 'install@db1', once: 'sha256:once', digest: 'sha256:d', destructive: true }

const subject = (disks: readonly DiskState[], targets: readonly InstallTarget[]): ApprovalSubject => ({ step: step.id, once: step.once, machine: 'm1', disks, targets })

/** A machine with up to five disks, the first of which are targets. */
const situations = fc
  .record({ count: fc.integer({ min: 1, max: 5 }), wanted: fc.integer({ min: 1, max: 5 }), texts: fc.array(fc.string(), { minLength: 5, maxLength: 5 }) })
  .map(({ count, wanted, texts }) => {
    const disks = Array.from({ length: count }, (_, index) => disk(`d${index}`, texts[index]))
    return { disks, targets: disks.slice(0, Math.min(wanted, count)).map((one) => target(one.id)) }
  })

describe('an approval', () => {
  it('covers what it was made for, in any order of disks', () => {
    fc.assert(
      fc.property(situations, ({ disks, targets }) => {
        const approval = approvalFor(step, 'm1', disks, targets)
        expect(approvalCovers(approval, subject(disks.toReversed(), targets.toReversed()))).toBe(true)
      }),
    )
  })

  it('is void when any single thing differs', () => {
    const kinds = ['step', 'once', 'no once', 'machine', 'serial', 'bytes', 'signature', 'gone', 'twice', 'target more', 'target less', 'target serial'] as const
    fc.assert(
      fc.property(situations, fc.nat(), fc.constantFrom(...kinds), ({ disks, targets }, pick, kind) => {
        const approval = approvalFor(step, 'm1', disks, targets)
        const chosen = targets[pick % targets.length] as InstallTarget
        const changed = (change: Partial<DiskState>): ApprovalSubject => subject(disks.map((one) => (one.id === chosen.id ? { ...one, ...change } : one)), targets)
        const now = subject(disks, targets)
        const differing: { readonly [kind in (typeof kinds)[number]]: ApprovalSubject } = {
          step: { ...now, step: 'install@db2' },
          once: { ...now, once: 'sha256:other' },
          'no once': { ...now, once: null },
          machine: { ...now, machine: 'm2' },
          serial: changed({ serial: 'other' }),
          bytes: changed({ bytes: TARGET_BYTES + 512 }),
          signature: changed({ signature: '{"table":"other"}' }),
          gone: subject(disks.filter((one) => one.id !== chosen.id), targets),
          twice: subject([...disks, disk(chosen.id)], targets),
          'target more': subject([...disks, disk('d9')], [...targets, target('d9')]),
          'target less': subject(disks, targets.slice(1)),
          'target serial': subject(disks, targets.map((one) => (one === chosen ? { ...one, serial: 'other' } : one))),
        }
        expect(approvalCovers(approval, differing[kind])).toBeTypeOf('string')
      }),
      { numRuns: 500 },
    )
  })

  it('does not care for disks that the step does not write', () => {
    const approval = approvalFor(step, 'm1', [disk('d0', 'gpt: ext4 /'), disk('d1', 'lvm')], [target('d0')])
    expect(approvalCovers(approval, subject([disk('d0', 'gpt: ext4 /'), disk('d1', 'something new')], [target('d0')]))).toBe(true)
  })

  it('goes on over its own unfinished write, known by the stamp, and over nobody else’s', () => {
    const approval = approvalFor(step, 'm1', [disk('d0', 'gpt: ext4 /')], [target('d0')])
    const half = subject([disk('d0', 'gpt: half written', { stamp: 'mine' })], [target('d0')])
    expect(approvalCovers(approval, { ...half, stamps: { d0: 'mine' } })).toBe(true)
    expect(approvalCovers(approval, half)).toBeTypeOf('string')
    expect(approvalCovers(approval, { ...half, stamps: { d0: 'theirs' } })).toBeTypeOf('string')
    expect(approvalCovers(approval, { ...half, stamps: { d1: 'mine' } })).toBeTypeOf('string')
    expect(approvalCovers(approval, { ...half, stamps: { d0: 'mine' }, machine: 'm2' })).toBeTypeOf('string')
    const swapped = subject([disk('d0', 'gpt', { stamp: 'mine', serial: 'other' })], [target('d0')])
    expect(approvalCovers(approval, { ...swapped, stamps: { d0: 'mine' } })).toBeTypeOf('string')
  })

  it('cannot be made for a disk that nobody has seen, or a step without a key', () => {
    const code = (run: () => unknown): unknown => {
      try {
        run()
      } catch (error) {
        return (error as { code: unknown }).code
      }
      return undefined
    }
    expect(code(() => approvalFor(step, 'm1', [], [target('d0')]))).toBe('DISK_NOT_SEEN')
    expect(code(() => approvalFor(step, 'm1', [disk('d0', 'x', { bytes: 1 })], [target('d0')]))).toBe('DISK_NOT_SEEN')
    expect(code(() => approvalFor(step, 'm1', [disk('d0'), disk('d0')], [target('d0')]))).toBe('DISK_NOT_SEEN')
    expect(code(() => approvalFor({ ...step, once: null }, 'm1', [disk('d0')], [target('d0')]))).toBe('NO_ONCE_KEY')
  })

  it('of a step that is not destructive by nature is for exactly its digest', () => {
    expect(approvalKey({ once: null, digest: 'sha256:d', destructive: false })).toBe('sha256:d')
    expect(approvalFor({ ...step, destructive: false, once: null }, null, [], [])).toStrictEqual({ step: step.id, once: 'sha256:d', machine: '', disks: [] })
  })
})

describe('a disk is known to be blank', () => {
  it('only when it was seen, proved blank and carries no stamp', () => {
    expect(diskIsKnownBlank(disk('d0'))).toBe(true)
    expect(diskIsKnownBlank(disk('d0', 'gpt'))).toBe(false)
    expect(diskIsKnownBlank(disk('d0', 'blank', { stamp: 'x' }))).toBe(false)
    expect(diskIsKnownBlank(null)).toBe(false)
    expect(diskIsKnownBlank(undefined)).toBe(false)
  })
})

import type { Report } from '../../schemas/diagnostic.ts'
import type { Lock } from '../../schemas/lock.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'

/** Two lines of the lock that give away one thing: two clean merges can do that, and a person has to decide. */
export function checkLock(lock: Located<Lock> | null, report: Report): void {
  if (lock === null) return
  const { value, source } = lock
  const once = (section: 'claims' | 'addresses', thing: (key: string, value: string) => string, what: string): void => {
    const seen = new Map<string, string>()
    for (const [key, entry] of Object.entries(value[section])) {
      const identity = thing(key, entry)
      const other = seen.get(identity)
      if (other === undefined) {
        seen.set(identity, key)
        continue
      }
      report(error('LOCK_CONFLICT', rangeOf(source, [section, key]), `${other} and ${key} both have ${what} ${entry}.`, { related: [{ message: `${other} has it here`, range: rangeOf(source, [section, other]) }], fix: 'Take away the line that is wrong; the next plan gives that one another.' }))
    }
  }
  once('claims', (_, machine) => machine, 'machine')
  once('addresses', (key, address) => `${key.slice(0, key.indexOf('/'))}/${address}`, 'address')
  const disks = new Map<string, string>()
  for (const [key, ids] of Object.entries(value.disks ?? {})) {
    for (const [i, id] of ids.entries()) {
      const identity = `${key.slice(0, key.indexOf('/'))} ${id}`
      const other = disks.get(identity)
      if (other === undefined) disks.set(identity, key)
      else report(error('LOCK_CONFLICT', rangeOf(source, ['disks', key, i]), `${other} and ${key} both have disk ${id}.`, { related: [{ message: `${other} has it here`, range: rangeOf(source, ['disks', other]) }], fix: 'Take away the line that is wrong.' }))
    }
  }
  for (const [key, { members }] of Object.entries(value.bindings)) {
    const seen = new Map<number, string>()
    for (const [node, index] of Object.entries(members)) {
      const other = seen.get(index)
      if (other !== undefined) report(error('LOCK_CONFLICT', rangeOf(source, ['bindings', key, 'members', node]), `${other} and ${node} both have index ${index} in ${key}.`, { related: [{ message: `${other} has it here`, range: rangeOf(source, ['bindings', key, 'members', other]) }], fix: 'Give one of them the number in `next`, and raise that by one.' }))
      else seen.set(index, node)
    }
  }
}

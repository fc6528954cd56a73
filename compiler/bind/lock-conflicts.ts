import type { Report } from '../../schemas/diagnostic.ts'
import { idOfLocked } from '../../schemas/lock.ts'
import type { Lock } from '../../schemas/lock.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { formatAddress, parseAddress } from '../resolve/address.ts'
import type { Located } from '../validate/site.ts'

/**
 * Two lines of the lock that give away one thing: two clean merges can do that, and a person has to decide. And what
 * Crowbar never writes: an address that is none, a `next` that is taken, a founder who is no member. None of it is
 * repaired silently.
 */
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
  for (const [key, locked] of Object.entries(value.disks ?? {})) {
    for (const [i, id] of locked.map(idOfLocked).entries()) {
      const identity = `${key.slice(0, key.indexOf('/'))} ${id}`
      const other = disks.get(identity)
      if (other === undefined) disks.set(identity, key)
      else report(error('LOCK_CONFLICT', rangeOf(source, ['disks', key, i]), `${other} and ${key} both have disk ${id}.`, { related: [{ message: `${other} has it here`, range: rangeOf(source, ['disks', other]) }], fix: 'Take away the line that is wrong.' }))
    }
  }
  for (const [key, text] of Object.entries(value.addresses)) {
    const version = /^[^/]+\/[^/]+\/6$/.test(key) ? 6 : 4
    const address = parseAddress(text)
    if (address?.version === version && formatAddress(address) === text) continue
    const range = rangeOf(source, ['addresses', key])
    report(error('LOCK_INVALID', range, `${text} is no IPv${version} address as Crowbar writes it.`, { fix: 'Put back what was here, or take the line out, so that another address is given.' }))
  }
  const indexes = new Map<number, string>()
  const free = Object.values(value.nodes).reduce((highest, { index }) => Math.max(highest, index + 1), 0)
  for (const [name, { index }] of Object.entries(value.nodes)) {
    const other = indexes.get(index)
    if (other === undefined) indexes.set(index, name)
    else report(error('LOCK_CONFLICT', rangeOf(source, ['nodes', name, 'index']), `${other} and ${name} both have index ${index}.`, { related: [{ message: `${other} has it here`, range: rangeOf(source, ['nodes', other, 'index']) }], fix: `Give ${free} to the one that came later.` }))
  }
  for (const [key, { members, next, founder }] of Object.entries(value.bindings)) {
    const highest = Object.values(members).reduce((most, index) => Math.max(most, index), -1)
    if (next <= highest) report(error('LOCK_INVALID', rangeOf(source, ['bindings', key, 'next']), `The next index of ${key} is ${next}, and a member has ${highest} already.`, { fix: `Write ${highest + 1} or, if indexes were given since, more.` }))
    if (founder !== undefined && !Object.hasOwn(members, founder)) report(error('LOCK_INVALID', rangeOf(source, ['bindings', key, 'founder']), `${founder} is the founder of ${key}, and no member.`, { fix: `Put ${founder} back, or take \`founder\` away: the member with the lowest index becomes it.` }))
    const seen = new Map<number, string>()
    for (const [node, index] of Object.entries(members)) {
      const other = seen.get(index)
      if (other !== undefined) report(error('LOCK_CONFLICT', rangeOf(source, ['bindings', key, 'members', node]), `${other} and ${node} both have index ${index} in ${key}.`, { related: [{ message: `${other} has it here`, range: rangeOf(source, ['bindings', key, 'members', other]) }], fix: 'Give one of them the number in `next`, and raise that by one.' }))
      else seen.set(index, node)
    }
  }
}

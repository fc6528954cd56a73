/** Hosts that one import reads at most. */
export const MAX_HOSTS = 100_000

const RANGE = String.raw`\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]`
const LABEL = String.raw`(?:[\p{L}\p{M}\p{N}_]|${RANGE})(?:[\p{L}\p{M}\p{N}_-]|${RANGE})*(?<![_-])`
const HOST_NAME = new RegExp(String.raw`^${LABEL}(?:\.${LABEL})*$`, 'iu')
const IPV6 = /^(?=.*:.*:)[0-9a-f:.[\]]+$/i
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/**
 * The hosts that a pattern of an Ansible inventory stands for (`web[01:20:2].example.com:2222`), and their port.
 *
 * @param room how many hosts there may still be.
 * @returns what is wrong, as text.
 */
export function expandPattern(pattern: string, room: number): { readonly hosts: readonly string[]; readonly port: number | undefined } | string {
  const [, address = pattern, port] = /^\[(.+)\]:([0-9]+)$/.exec(pattern) ?? /^((?:[^:[\]]|\[[^\]]*\])*):([0-9]+)$/.exec(pattern) ?? []
  const known = HOST_NAME.test(address) || IPV6.test(address)
  const hosts: string[] = []
  const problem = expand(known ? address : pattern, hosts, Math.max(0, room))
  return problem ?? { hosts, port: known && port !== undefined ? Number(port) : undefined }
}

function expand(text: string, hosts: string[], room: number): string | undefined {
  if (!text.includes('[')) {
    if (hosts.length >= room) return `more than ${MAX_HOSTS} hosts are not imported`
    hosts.push(text)
    return undefined
  }
  const parts = text.replace('[', '|').replace(']', '|').split('|')
  const [head, range, tail] = parts
  if (parts.length !== 3 || head === undefined || range === undefined || tail === undefined) return 'a bracket is not closed'
  const values = valuesOf(range, room)
  if (typeof values === 'string') return values
  for (const value of values) {
    const problem = expand(`${head}${value}${tail}`, hosts, room)
    if (problem !== undefined) return problem
  }
  return undefined
}

function valuesOf(range: string, room: number): readonly string[] | string {
  const bounds = range.split(':')
  if (bounds.length !== 2 && bounds.length !== 3) return `\`[${range}]\` is not \`[first:last]\` or \`[first:last:step]\``
  const first = bounds[0] || '0'
  const [, last = '', stepText = '1'] = bounds
  const step = /^[0-9]+$/.test(stepText) ? Number(stepText) : 0
  if (last === '') return `\`[${range}]\` has no last value`
  if (step < 1) return `\`[${range}]\` has no step of 1 or more`
  const letters = [LETTERS.indexOf(first), LETTERS.indexOf(last)] as const
  if (first.length === 1 && last.length === 1 && letters[0] >= 0 && letters[1] >= 0) {
    return letters[0] > letters[1] ? `\`[${range}]\` ends before it begins` : LETTERS.slice(letters[0], letters[1] + 1).split('').filter((_, i) => i % step === 0)
  }
  if (!/^[0-9]+$/.test(first) || !/^[0-9]+$/.test(last)) return `\`[${range}]\` is neither numbers nor letters`
  if (first.startsWith('0') && first.length > 1 && first.length !== last.length) return `\`[${range}]\`: first and last have different lengths`
  const count = Math.floor((Number(last) - Number(first)) / step) + 1
  if (count < 1) return `\`[${range}]\` ends before it begins`
  if (count > room) return `\`[${range}]\` stands for ${count} hosts; more than ${MAX_HOSTS} are not imported`
  const width = first.startsWith('0') && first.length > 1 ? first.length : 0
  return Array.from({ length: count }, (_, i) => String(Number(first) + i * step).padStart(width, '0'))
}

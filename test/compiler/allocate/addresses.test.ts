import { describe, expect, test } from 'vitest'
import { codes, compiled, compileTexts, lockFile, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const NODE = (name: string, more = '') => `kind: node\nname: ${name}\nos: debian-12\nmachine: { serial: ${name} }\n${more}`

describe('addresses', () => {
  test('every node joins the admin network, lowest free address of `host` first, in order of name', () => {
    const { plan, lock } = compiled({ 'n.yaml': `${NODE('b')}---\n${NODE('a')}` })
    expect([plan.nodes['adm']?.addresses, plan.nodes['a']?.addresses, plan.nodes['b']?.addresses]).toEqual([{ admin: '10.0.0.2' }, { admin: '10.0.0.50' }, { admin: '10.0.0.51' }])
    expect(lock.addresses).toEqual({ 'admin/adm': '10.0.0.2', 'admin/a': '10.0.0.50', 'admin/b': '10.0.0.51' })
    expect(plan.nodes['a']?.attachments[0]?.addresses).toEqual([{ address: '10.0.0.50', prefix: 24, gateway: '10.0.0.1', dns: [] }])
  })

  test('who has an address keeps it when others come and go', () => {
    const first = compiled({ 'n.yaml': `${NODE('b')}---\n${NODE('c')}` })
    const second = compiled({ 'n.yaml': `${NODE('a')}---\n${NODE('c')}`, ...lockFile(first.lock) })
    expect([second.plan.nodes['a']?.addresses, second.plan.nodes['c']?.addresses]).toEqual([{ admin: '10.0.0.50' }, { admin: '10.0.0.51' }])
  })

  test('an address written down is kept free for who asks for it', () => {
    const { plan } = compiled({ 'n.yaml': `${NODE('a')}---\n${NODE('b', 'networks: { admin: { address: 10.0.0.50 } }\n')}` })
    expect([plan.nodes['a']?.addresses['admin'], plan.nodes['b']?.addresses['admin']]).toEqual(['10.0.0.51', '10.0.0.50'])
  })

  test.each([
    ['10.9.9.9', 'ADDRESS_OUTSIDE_RANGE'],
    ['10.0.0.1', 'ADDRESS_RESERVED'],
    ['10.0.0.2', 'ADDRESS_RESERVED'],
    ['10.0.0.0', 'ADDRESS_RESERVED'],
    ['10.0.0.255', 'ADDRESS_RESERVED'],
    ['10.0.0.30', 'ADDRESS_RESERVED'],
    ['10.0.0.300', 'ADDRESS_INVALID'],
  ])('%s cannot be asked for: %s', (address, code) => {
    expect(codes(compileTexts({ 'n.yaml': NODE('a', `networks: { admin: { address: ${address} } }\n`) }))).toEqual([`${code} n.yaml:5:31`])
  })

  test('an address written down lies in the range `host` unless another one is named', () => {
    const asked = (name: string, wish: string, more = ''): Texts => ({ 'n.yaml': `kind: node\nname: ${name}\n${more === '' ? 'os: debian-12\nmachine: { serial: a }\n' : more}networks: { admin: { ${wish} } }\n` })
    const result = compileTexts(asked('a', 'address: 10.0.0.105'))
    expect(codes(result)).toEqual(['ADDRESS_OUTSIDE_RANGE n.yaml:5:31'])
    expect(result.diagnostics[0]?.fix).toBe('Take an address of host (10.0.0.50-10.0.0.99), or say `range: vip`.')
    expect(codes(compileTexts(asked('a', 'address: 10.0.0.105, range: vip')))).toEqual([])
    expect(codes(compileTexts(asked('a', 'address: 10.0.0.105, range: host')))).toEqual(['ADDRESS_OUTSIDE_RANGE n.yaml:5:31'])
    expect(codes(compileTexts(asked('adm2', 'address: 10.0.0.9', 'admin: true\n')))).toEqual([])
    expect(codes(compileTexts(asked('adm2', 'address: 10.0.0.60', 'admin: true\n')))).toEqual([])
    expect(codes(compileTexts(asked('adm2', 'address: 10.0.0.200', 'admin: true\n')))).toEqual(['ADDRESS_OUTSIDE_RANGE n.yaml:4:31'])
    const without = { 'site.yaml': SITE.replace(/ {4}ranges: .*\n/, '').replace('admin: true', 'admin: true\nnetworks: { admin: { address: 10.0.0.2 } }') }
    expect(codes(compileTexts({ ...without, ...asked('a', 'address: 10.0.0.200') }))).toEqual([])
  })

  test('one address for two is an error with both places', () => {
    const result = compileTexts({ 'a.yaml': NODE('a', 'networks: { admin: { address: 10.0.0.60 } }\n'), 'b.yaml': NODE('b', 'networks: { admin: { address: 10.0.0.60 } }\n') })
    expect(codes(result)).toEqual(['ADDRESS_CONFLICT b.yaml:5:31'])
    expect(result.diagnostics[0]?.related[0]?.range.path).toBe('a.yaml')
  })

  test('asking for an address that the lock gave to another is an error, not a move', () => {
    const { lock } = compiled({ 'a.yaml': NODE('a') })
    const result = compileTexts({ 'a.yaml': NODE('a'), 'b.yaml': NODE('b', 'networks: { admin: { address: 10.0.0.50 } }\n'), ...lockFile(lock) })
    expect(codes(result)).toEqual(['ADDRESS_CONFLICT b.yaml:5:31'])
    expect(result.diagnostics[0]?.related[0]?.range.path).toBe('site.lock.json')
  })

  test('a range that is used up, or is not there, is an error', () => {
    const small = SITE.replace('host: 10.0.0.50-10.0.0.99', 'host: 10.0.0.50-10.0.0.50')
    expect(codes(compileTexts({ 'site.yaml': small, 'n.yaml': `${NODE('a')}---\n${NODE('b')}` }))).toEqual(['ADDRESS_EXHAUSTED n.yaml:7:7'])
    expect(codes(compileTexts({ 'n.yaml': NODE('a', 'networks: { admin: { range: hots } }\n') }))).toContain('REFERENCE_UNKNOWN n.yaml:5:29')
  })

  test('IPv6 and IPv4 on one network give a node both, and virtual addresses come from `vip`', () => {
    const both = 'kind: network\nname: two\nsubnets:\n  - { cidr: "2001:db8::/64", gateway: "2001:db8::1", ranges: { host: "2001:db8::1-2001:db8::ff" } }\n  - { cidr: 10.5.0.0/24, ranges: { host: 10.5.0.7-10.5.0.9 } }\n'
    const { plan, lock } = compiled({ 'net.yaml': both, 'n.yaml': NODE('a', 'networks: { two: {} }\n'), 'd.yaml': 'kind: deployment\nname: d\naddresses: { api: { network: admin } }\nroles: {}\n' })
    expect(plan.nodes['a']?.attachments[1]?.addresses.map((each) => each.address)).toEqual(['10.5.0.7', '2001:db8::2'])
    expect(lock.addresses).toMatchObject({ 'two/a': '10.5.0.7', 'two/a/6': '2001:db8::2', 'admin/d:api': '10.0.0.100' })
  })
})

test('the admin address has to be one of the admin network', () => {
  expect(codes(compileTexts({ 'site.yaml': SITE.replace('address: 10.0.0.2', 'address: 10.7.0.2') }))).toContain('ADDRESS_OUTSIDE_RANGE site.yaml:4:35')
})

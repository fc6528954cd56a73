import { describe, expect, test } from 'vitest'
import { failingBooter, fixedBooter } from '../fake-booter.ts'
import { Conversation, admin, message, server, to, wish } from './conversation.ts'
import fc from '../../../property.ts'

const one = '52:54:00:00:00:01'
const two = '52:54:00:00:00:02'
const pool = ['192.168.124.21', '192.168.124.22', '192.168.124.23', '192.168.124.24']

describe('DISCOVER and REQUEST', () => {
  test('give an address of the pool, with every setting, and the lease to write', () => {
    const dhcp = new Conversation()
    const offer = dhcp.say(message('discover'))
    expect(offer.type).toBe('offer')
    expect(pool).toContain(offer.address)
    expect(dhcp.journal).toEqual([])
    const ack = dhcp.say(message('request', { options: [wish(offer.address), to(server)] }))
    expect(ack).toMatchObject({ type: 'ack', address: offer.address })
    expect([1, 3, 6, 15, 28, 51, 54, 58, 59].map(ack.option)).toEqual([
      'ffffff00', 'c0a87c01', 'c0a87c0a', '6578616d706c652e636f6d', 'c0a87cff', '00001c20', 'c0a87c0a', '00000e10', '0000189c',
    ])
    expect(ack.outcome.reply?.to).toEqual({ address: '255.255.255.255', port: 68 })
    expect(dhcp.journal).toEqual([{ address: offer.address, subnet: 'admin', client: `mac:${one}`, state: 'bound', expires: dhcp.now + 7_200_000 }])
  })

  test('give the same address again, also after the lease has ended', () => {
    const dhcp = new Conversation()
    const address = dhcp.obtain()
    dhcp.now += 8_000_000
    expect(dhcp.obtain({ mac: two })).not.toBe(address)
    expect(dhcp.obtain()).toBe(address)
  })

  test('give firmware, iPXE and operating system of one machine one address, whatever their client identifiers', () => {
    const dhcp = new Conversation()
    const first = dhcp.obtain({ options: [[61, Buffer.from('01525400000001', 'hex')]] })
    expect(dhcp.obtain({ options: [[61, Buffer.from('ff0001', 'hex')]] })).toBe(first)
    expect(dhcp.obtain()).toBe(first)
  })

  test('hold an offer for a minute, and not longer', () => {
    const small = { ...admin, pools: [{ from: '192.168.124.21', to: '192.168.124.21' }] }
    const dhcp = new Conversation(small)
    expect(dhcp.say(message('discover')).type).toBe('offer')
    const other = dhcp.say(message('discover', { mac: two }))
    expect(other.type).toBe('silence')
    expect(other.events).toMatchObject([{ type: 'boot.dhcp.exhausted', subnet: 'admin', mac: two }])
    dhcp.now += 60_001
    expect(dhcp.obtain({ mac: two })).toBe('192.168.124.21')
  })

  test('take back the offer when the client chose another server, which is reported', () => {
    const dhcp = new Conversation({ ...admin, pools: [{ from: '192.168.124.21', to: '192.168.124.21' }] })
    const offer = dhcp.say(message('discover'))
    const heard = dhcp.say(message('request', { options: [wish(offer.address), to('192.168.124.5')] }))
    expect(heard).toMatchObject({ type: 'silence', events: [{ type: 'boot.dhcp.foreign', server: '192.168.124.5' }] })
    expect(dhcp.obtain({ mac: two })).toBe('192.168.124.21')
  })

  test('ask to look for strangers before an address is offered that the client did not have', () => {
    const dhcp = new Conversation()
    const offer = dhcp.say(message('discover'))
    expect(offer.outcome.probe).toBe(offer.address)
    dhcp.obtain()
    expect(dhcp.say(message('discover')).outcome.probe).toBeUndefined()
  })

  test('never hand out the own address, the gateway, the DNS server, or what is reserved', () => {
    const all = { ...admin, pools: [{ from: '192.168.124.0', to: '192.168.124.12' }], reservations: () => reserved }
    const reserved = [{ mac: two, address: '192.168.124.2' }]
    const dhcp = new Conversation(all)
    const got = Array.from({ length: 13 }, (_, n) => dhcp.obtain({ mac: `52:54:00:00:01:${n.toString(16).padStart(2, '0')}` }))
    expect(got.filter((address) => address !== '').sort()).toEqual(
      [3, 4, 5, 6, 7, 8, 9, 11, 12].map((last) => `192.168.124.${last}`).sort(),
    )
  })
})

describe('a reservation', () => {
  const reservations = [
    { mac: one, address: '192.168.124.81', hostname: 'db1' },
    { uuid: '33221100-5544-7766-8899-aabbccddeeff', address: '192.168.124.82' },
    { clientId: '00cafe', address: '192.168.124.83' },
  ]
  const reserved = { ...admin, reservations: () => reservations }
  const guid = Buffer.from('00' + '00112233445566778899aabbccddeeff', 'hex')

  test('holds by hardware address, by UUID in either byte order, and by client identifier', () => {
    const dhcp = new Conversation(reserved)
    const straight = Buffer.from('00' + '33221100554477668899aabbccddeeff', 'hex')
    expect(dhcp.obtain()).toBe('192.168.124.81')
    expect(dhcp.obtain({ mac: two, options: [[97, guid]] })).toBe('192.168.124.82')
    expect(dhcp.obtain({ mac: two, options: [[97, straight]] })).toBe('192.168.124.82')
    expect(dhcp.obtain({ mac: '52:54:00:00:00:03', options: [[61, Buffer.from('00cafe', 'hex')]] })).toBe('192.168.124.83')
    expect(dhcp.say(message('discover')).option(12)).toBe(Buffer.from('db1').toString('hex'))
  })

  test('is never found by a UUID of zeros or ones, which many boards share', () => {
    const shared = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'].map((uuid) => ({ uuid, address: '192.168.124.99' }))
    const dhcp = new Conversation({ ...admin, reservations: () => shared })
    const got = [0, 255].map((byte) => dhcp.obtain({ options: [[97, Buffer.alloc(17, byte).fill(0, 0, 1)]] }))
    for (const address of got) expect(pool).toContain(address)
  })

  test('made while the machine has another address: the renewal is refused, and the next address is the reserved one', () => {
    const dhcp = new Conversation()
    const before = dhcp.obtain()
    dhcp.subnets = [reserved]
    const renewal = dhcp.say(message('request', { ciaddr: before }), { wasBroadcast: false })
    expect(renewal.type).toBe('nak')
    expect(renewal.outcome.reply?.to).toEqual({ address: '255.255.255.255', port: 68 })
    expect(dhcp.obtain()).toBe('192.168.124.81')
    expect(dhcp.leases.at(before)?.state).toBe('released')
  })

  test('is all there is where the subnet has no pool: everybody else meets silence', () => {
    const dhcp = new Conversation({ ...reserved, pools: [] })
    expect(dhcp.obtain()).toBe('192.168.124.81')
    const other = dhcp.say(message('discover', { mac: two }))
    expect(other).toMatchObject({ type: 'silence', events: [{ type: 'boot.dhcp.ignored', mac: two }] })
  })

  test('is not given while another machine holds the address', () => {
    const dhcp = new Conversation()
    const taken = dhcp.obtain({ mac: two })
    dhcp.subnets = [{ ...admin, reservations: () => now }]
    const now = [{ mac: one, address: taken }]
    expect(dhcp.obtain()).toBe('')
    expect(dhcp.say(message('request', { mac: two, ciaddr: taken }), { wasBroadcast: false }).type).toBe('nak')
    dhcp.now += 7_200_001
    expect(dhcp.obtain()).toBe(taken)
  })
})

describe('REQUEST', () => {
  test('INIT-REBOOT is acknowledged for the known lease and refused for another network', () => {
    const dhcp = new Conversation()
    const address = dhcp.obtain()
    expect(dhcp.say(message('request', { options: [wish(address)] }))).toMatchObject({ type: 'ack', address })
    expect(dhcp.say(message('request', { options: [wish('10.9.9.9')] })).type).toBe('nak')
  })

  test('for an address of somebody else is refused if we are authoritative, and met with silence if not', () => {
    const dhcp = new Conversation()
    const taken = dhcp.obtain({ mac: two })
    expect(dhcp.say(message('request', { options: [wish(taken)] })).type).toBe('nak')
    dhcp.subnets = [{ ...admin, authoritative: false }]
    expect(dhcp.say(message('request', { options: [wish(taken)] })).type).toBe('silence')
    expect(dhcp.say(message('request', { options: [wish('192.168.124.24')] })).type).toBe('silence')
  })

  test('renews by unicast to the address of the client', () => {
    const dhcp = new Conversation()
    const address = dhcp.obtain()
    dhcp.now += 3_600_000
    const ack = dhcp.say(message('request', { ciaddr: address }), { wasBroadcast: false })
    expect(ack).toMatchObject({ type: 'ack', address })
    expect(ack.outcome.reply?.to).toEqual({ address, port: 68 })
    expect(dhcp.leases.at(address)?.expires).toBe(dhcp.now + 7_200_000)
  })

  test('gets a shorter lease if it asks for one, but not below a minute', () => {
    const dhcp = new Conversation()
    const seconds = (asked: string): string | undefined => dhcp.say(message('discover', { options: [[51, Buffer.from(asked, 'hex')]] })).option(51)
    expect(seconds('00000258')).toBe('00000258')
    expect(seconds('00000001')).toBe('0000003c')
    expect(seconds('ffffffff')).toBe('00001c20')
  })
})

describe('DECLINE, RELEASE and INFORM', () => {
  test('a declined address stays out of use for an hour', () => {
    const dhcp = new Conversation({ ...admin, pools: [{ from: '192.168.124.21', to: '192.168.124.21' }] })
    const address = dhcp.obtain()
    expect(dhcp.say(message('decline', { options: [wish(address), to(server)] })).events).toMatchObject([{ type: 'boot.dhcp.declined', address }])
    expect([dhcp.obtain(), dhcp.obtain({ mac: two })]).toEqual(['', ''])
    dhcp.now += 3_600_001
    expect(dhcp.obtain({ mac: two })).toBe(address)
  })

  test('nobody can decline or release what another one holds', () => {
    const dhcp = new Conversation()
    const address = dhcp.obtain()
    dhcp.say(message('decline', { mac: two, options: [wish(address)] }))
    dhcp.say(message('release', { mac: two, ciaddr: address }))
    expect(dhcp.leases.at(address)).toMatchObject({ state: 'bound', client: `mac:${one}` })
  })

  test('a released address is kept for its owner as long as others are free', () => {
    const dhcp = new Conversation()
    const address = dhcp.obtain()
    dhcp.say(message('release', { ciaddr: address }), { wasBroadcast: false })
    expect([2, 3, 4].map((n) => dhcp.obtain({ mac: `52:54:00:00:00:0${n}` }))).not.toContain(address)
    expect(dhcp.obtain({ mac: '52:54:00:00:00:05' })).toBe(address)
  })

  test('INFORM gets settings, no address and no lease', () => {
    const dhcp = new Conversation()
    const ack = dhcp.say(message('inform', { ciaddr: '192.168.124.99' }), { wasBroadcast: false })
    expect(ack).toMatchObject({ type: 'ack', address: '0.0.0.0' })
    expect([ack.option(6), ack.option(51), ack.option(58)]).toEqual(['c0a87c0a', undefined, undefined])
    expect(ack.outcome.reply?.to).toEqual({ address: '192.168.124.99', port: 68 })
    expect(dhcp.journal).toEqual([])
  })
})

describe('a relay', () => {
  const far = { ...admin, name: 'far', cidr: '10.7.0.0/24', pools: [{ from: '10.7.0.50', to: '10.7.0.60' }], gateway: '10.7.0.1' }
  const information = Buffer.from('0104deadbeef', 'hex')

  test('gets the reply at port 67, with its own option back, last, word for word', () => {
    const dhcp = new Conversation(admin, far)
    const offer = dhcp.say(message('discover', { giaddr: '10.7.0.1', options: [[82, information], [61, Buffer.from('01aa', 'hex')]] }), { wasBroadcast: false })
    expect(offer.address).toMatch(/^10\.7\.0\.5\d$|^10\.7\.0\.60$/)
    expect(offer.outcome.reply?.to).toEqual({ address: '10.7.0.1', port: 67 })
    expect([...(offer.outcome.reply?.packet.options ?? [])].at(-1)).toEqual([82, information])
    expect(offer.option(61)).toBe('01aa')
  })

  test("its client renews past it, and moves when it comes to the server's own link", () => {
    const dhcp = new Conversation(admin, far)
    const offer = dhcp.say(message('discover', { giaddr: '10.7.0.1' }), { wasBroadcast: false })
    dhcp.say(message('request', { giaddr: '10.7.0.1', options: [wish(offer.address), to(server)] }), { wasBroadcast: false })
    expect(dhcp.say(message('request', { ciaddr: offer.address }), { wasBroadcast: false })).toMatchObject({ type: 'ack', address: offer.address })
    expect(dhcp.say(message('request', { ciaddr: offer.address }), { wasBroadcast: true }).type).toBe('nak')
  })

  test('of a network that is not configured is not answered', () => {
    const dhcp = new Conversation(admin, far)
    expect(dhcp.say(message('discover', { giaddr: '10.8.0.1' })).events).toMatchObject([{ type: 'boot.dhcp.ignored' }])
  })

  test('chooses the link by sub-option 5 and the server identifier by 11', () => {
    const dhcp = new Conversation(admin, far)
    const choice = Buffer.from('05040a070000' + '0b040a070001', 'hex')
    const offer = dhcp.say(message('discover', { giaddr: '192.168.124.2', options: [[82, choice]] }))
    expect(offer.address).toMatch(/^10\.7\.0\./)
    expect(offer.option(54)).toBe('0a070001')
    const request = message('request', { giaddr: '192.168.124.2', options: [[82, choice], wish(offer.address), to('10.7.0.1')] })
    expect(dhcp.say(request).type).toBe('ack')
  })

  test('is told to broadcast a NAK', () => {
    const dhcp = new Conversation(admin, far)
    const nak = dhcp.say(message('request', { giaddr: '10.7.0.1', options: [wish('172.16.0.9')] }), { wasBroadcast: false })
    expect(nak.outcome.reply).toMatchObject({ to: { address: '10.7.0.1', port: 67 }, packet: { flags: 0x8000, yiaddr: '0.0.0.0' } })
  })

  test('is not believed from a client that has none', () => {
    const dhcp = new Conversation(admin, far)
    const offer = dhcp.say(message('discover', { options: [[82, Buffer.from('05040a070000', 'hex')]] }))
    expect(pool).toContain(offer.address)
    expect(offer.option(82)).toBeUndefined()
  })
})

describe('a machine that boots from the network', () => {
  const pxe = (architecture: string, more: readonly (readonly [number, Buffer])[] = []): readonly (readonly [number, Buffer])[] => [
    [60, Buffer.from('PXEClient:Arch:00007:UNDI:003016')],
    [93, Buffer.from(architecture, 'hex')],
    [94, Buffer.from('010310', 'hex')],
    [97, Buffer.from('00' + '00112233445566778899aabbccddeeff', 'hex')],
    [55, Buffer.from([1, 3, 6, 43, 66, 67])],
    ...more,
  ]

  test('UEFI PXE: the loader in header and options, its class and UUID back, a short lease', () => {
    const dhcp = new Conversation()
    const booter = fixedBooter({ kind: 'local' })
    dhcp.booter = booter
    const offer = dhcp.say(message('discover', { options: pxe('0007') }))
    const file = '52-54-00-00-00-01/ipxe.efi'
    expect(offer.outcome.reply?.packet).toMatchObject({ siaddr: server, sname: server, file })
    expect(Buffer.from(offer.option(67) ?? '', 'hex').toString()).toBe(file)
    expect(Buffer.from(offer.option(66) ?? '', 'hex').toString()).toBe(server)
    expect([offer.option(60), offer.option(43), offer.option(97), offer.option(51)]).toEqual([
      Buffer.from('PXEClient').toString('hex'), '060108ff', '0000112233445566778899aabbccddeeff', '00000078',
    ])
    expect(booter.asked).toEqual([
      { mac: one, uuid: '33221100-5544-7766-8899-aabbccddeeff', architecture: 'amd64', firmware: 'uefi', address: offer.address },
    ])
    expect(offer.events).toMatchObject([{ type: 'boot.dhcp.offer', boot: { architecture: 7, file, answer: 'local' } }])
  })

  test('iPXE that knows HTTP: the URL of its script, and no waiting for proxies', () => {
    const dhcp = new Conversation()
    const offer = dhcp.say(message('discover', { options: pxe('0000', [[77, Buffer.from('iPXE')], [175, Buffer.from('b105011af41000130101', 'hex')]]) }))
    const url = `http://${server}/boot/52-54-00-00-00-01/ipxe?arch=0&uuid=00112233-4455-6677-8899-aabbccddeeff`
    expect(offer.outcome.reply?.packet.file).toBe(url)
    expect([offer.option(175), offer.option(43)]).toEqual(['b00101', undefined])
  })

  test('an operating system never hears of boot files, nor does firmware without a loader get one', () => {
    const dhcp = new Conversation()
    const host = dhcp.say(message('discover', { options: [[55, Buffer.from([1, 43, 60, 66, 67])], [60, Buffer.from('MSFT 5.0')]] }))
    expect([43, 60, 66, 67, 97, 175].map(host.option)).toEqual([undefined, undefined, undefined, undefined, undefined, undefined])
    expect(host.outcome.reply?.packet).toMatchObject({ file: '', sname: '', siaddr: '0.0.0.0' })
    const arm = dhcp.say(message('discover', { options: pxe('000b') }))
    expect(arm).toMatchObject({ type: 'offer', events: [{ boot: { architecture: 11, file: '' } }] })
    expect(arm.outcome.reply?.packet.file).toBe('')
  })

  test('a booter that fails holds the machine and is reported', () => {
    const dhcp = new Conversation()
    dhcp.booter = failingBooter
    const offer = dhcp.say(message('discover', { options: pxe('0007') }))
    expect(offer.events).toMatchObject([{ type: 'boot.booter.failed', mac: one }, { type: 'boot.dhcp.offer', boot: { answer: 'hold' } }])
  })
})

test('InfiniBand, which has no hardware address here, is known by its client identifier', () => {
  const dhcp = new Conversation()
  const setup = { mac: '', htype: 32, options: [[61, Buffer.from('ff01', 'hex')]] as const }
  const address = dhcp.obtain(setup)
  expect(pool).toContain(address)
  expect(dhcp.obtain({ ...setup, options: [[61, Buffer.from('ff02', 'hex')]] })).not.toBe(address)
  expect(dhcp.say(message('discover', { mac: '', htype: 32 })).type).toBe('silence')
})

test('whatever many clients say, no address is ever bound to two of them', () => {
  const macs = [1, 2, 3, 4, 5, 6].map((n) => `52:54:00:00:00:0${n}`)
  const address = fc.constantFrom(...pool, '192.168.124.81', '10.0.0.1', '192.168.124.10')
  const act = fc.record({
    mac: fc.constantFrom(...macs),
    type: fc.constantFrom('discover', 'request', 'decline', 'release', 'inform', 'obtain'),
    address,
    how: fc.constantFrom('select', 'reboot', 'renew'),
    wait: fc.constantFrom(0, 1000, 61_000, 7_300_000),
  })
  const reservations = [{ mac: macs[0]!, address: '192.168.124.81' }, { mac: macs[1]!, address: '192.168.124.22' }]
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const dhcp = new Conversation({ ...admin, reservations: () => reservations })
      const bound = new Map<string, { mac: string; until: number }>()
      for (const { mac, type, address: at, how, wait } of acts) {
        dhcp.now += wait
        const before = dhcp.journal.length
        if (type === 'obtain') dhcp.obtain({ mac })
        else if (how === 'renew') dhcp.say(message(type, { mac, ciaddr: at }), { wasBroadcast: false })
        else dhcp.say(message(type, { mac, options: how === 'select' ? [wish(at), to(server)] : [wish(at)] }))
        for (const lease of dhcp.journal.slice(before)) {
          const was = bound.get(lease.address)
          const holder = was && was.until > dhcp.now ? was : undefined
          if (lease.state !== 'bound') {
            if (holder) expect(`mac:${holder.mac}`).toBe(lease.client)
            bound.delete(lease.address)
            continue
          }
          if (holder) expect(holder.mac).toBe(mac)
          const reserved = reservations.find((each) => each.address === lease.address)
          expect(reserved?.mac ?? mac).toBe(mac)
          bound.set(lease.address, { mac, until: lease.expires })
        }
      }
    }),
    { numRuns: 300 },
  )
})

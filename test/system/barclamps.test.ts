import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { needDebianPackages } from './debian-packages.ts'
import { openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

/** All barclamps of site-examples/base-services on three container nodes: Debian 11, 12 and 13. */
let rack: TestRack
let folder: string

beforeAll(async () => {
  await needDebianPackages(['bind9-dnsutils', 'openssh-client', 'curl'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-barclamps-'))
  cpSync('site-examples/base-services', join(folder, 'site'), { recursive: true, filter: (path) => !path.endsWith('/golden') })
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', join(folder, 'key')])
  rack = await openHeldRack(join(folder, 'site'))
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const NODES = ['eleven', 'twelve', 'thirteen'] as const
const ADDRESS = { eleven: '192.168.129.81', thirteen: '192.168.129.82', twelve: '192.168.129.83' } as const
type Node = keyof typeof ADDRESS

/** The first process of a container node, as this machine numbers it. */
function initOf(node: Node): string {
  const found = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).find((pid) => {
    try {
      return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) && new RegExp(`/crowbar-rack-[^/]*-${node}/`).test(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
    } catch {
      return false
    }
  })
  if (found === undefined) throw new Error(`the node ${node} does not run`)
  return found
}

interface Said {
  readonly code: number | null
  readonly said: string
}

/** Runs a shell script on a node, as root; with `tools: 'host'` with this machine's programs on the node's network. */
function on(node: Node, script: string, { tools = 'node' }: { readonly tools?: 'node' | 'host' } = {}): Said {
  const spaces = tools === 'node' ? ['--mount', '--uts', '--ipc', '--net', '--pid', '--root', '--wd'] : ['--net']
  const { status, stdout, stderr } = spawnSync('nsenter', ['--target', initOf(node), ...spaces, '--', 'sh', '-c', script], { encoding: 'utf8', timeout: 120_000, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: '/root' } })
  return { code: status, said: `${stdout}${stderr}`.trim() }
}

const said = (node: Node, script: string, options?: { readonly tools: 'host' }): string => on(node, script, options).said
/** Applies to the end: how it ended, what was sent, and what failed, with its message. */
async function applied(): Promise<{ readonly state: string; readonly sent: readonly string[]; readonly failed: readonly string[] }> {
  const before = await rack.now()
  const ended = await rack.applyToTheEnd()
  const failed = (await rack.eventsAfter(before)).flatMap((event) => (event.type === 'step.failed' ? [`${event.data.step}: ${event.data.message}`] : []))
  return { ...ended, failed }
}
/** Process number of a service. */
const pid = (node: Node, unit: string): string => said(node, `systemctl show --property MainPID --value ${unit}`)

test('every step succeeds, and a second apply does nothing', () => {
  expect(rack.report.problems).toEqual([])
  expect(rack.report.outcome).toBe('complete')
  expect(rack.report.steps.filter(({ state }) => state !== 'succeeded' && state !== 'unchanged')).toEqual([])
  expect(rack.report.secondApply).toMatch(/^nothing to do/)
})

test.each(NODES)('the services of %s do what they are for', async (node) => {
  const address = ADDRESS[node]
  if (node !== 'twelve') {
    expect(on(node, 'chronyc -n waitsync 60 0 0 1')).toMatchObject({ code: 0 })
    expect(said(node, 'chronyc -n sources')).toMatch(new RegExp(`^\\^\\* ${ADDRESS.twelve.replaceAll('.', '\\.')}`, 'm'))
  }
  // Its own server, asked from another program; its own resolver, asked as programs of the node do.
  const dig = (what: string): string => said(node, `dig +short +tries=2 @${address} ${what}`, { tools: 'host' })
  expect(dig('thirteen.base.example.com')).toBe(ADDRESS.thirteen)
  expect(dig('www.base.example.com').split('\n').toSorted()).toEqual(['192.168.129.81', '192.168.129.82'])
  expect(dig(`-x ${ADDRESS.eleven}`)).toBe('eleven.base.example.com.')
  expect(said(node, `dig +tries=1 @${address} example.com | grep -o 'status: [A-Z]*'`, { tools: 'host' })).toBe('status: REFUSED')
  expect(said(node, 'getent hosts twelve')).toMatch(/^192\.168\.129\.83\s+twelve\.base\.example\.com/)
  expect(said(node, 'sudo -l -U ann')).toContain('(ALL : ALL) NOPASSWD: ALL')
  // With no argument; sudo of Debian 11 shows the quotes with a backslash.
  expect(said(node, 'sudo -l -U backup-job')).toMatch(/\(root\) NOPASSWD: \/usr\/bin\/id \\?"\\?"$/m)
  expect(said(node, `curl --silent http://${address}:9100/metrics`, { tools: 'host' })).toMatch(/^node_load1 /m)
  const cache = `perl -MIO::Socket::IP -e '$s = IO::Socket::IP->new(PeerHost => "${address}", PeerPort => 11211) or die; print $s "set here 0 60 5\\r\\n${node.slice(0, 5).padEnd(5)}\\r\\nget here\\r\\n"; print scalar <$s> for 1 .. 3'`
  expect(said(node, cache).split(/\r?\n/)).toEqual(['STORED', 'VALUE here 0 5', node.slice(0, 5).padEnd(5).trim()])
  expect(said(node, "systemctl show --property LimitNOFILE --value memcached.service")).toBe('1088')
  expect(said(node, 'apt-get update --print-uris')).toContain(`'http://192.168.129.10:8080/apt/debian-${{ eleven: 'bullseye/dists/bullseye', twelve: 'bookworm/dists/bookworm', thirteen: 'trixie/dists/trixie' }[node]}/InRelease'`)
  expect([rack.read(node, 'etc/pip.conf'), rack.read(node, 'etc/npmrc')]).toEqual([expect.stringContaining('index-url = http://pypi.example.com/simple/\ntrusted-host = pypi.example.com\n'), expect.stringContaining('registry=http://192.168.129.10:8080/npm/registry/\n')])
  // A rehearsal has no way out: what the proxy says is that it would have asked.
  expect(said(node, 'curl --silent http://192.168.129.10:8080/npm/registry/yaml', { tools: 'host' })).toMatch(/^crowbar: the index of yaml of registry: https:\/\/npm\.example\.com\/: /)
  expect(said(node, 'systemctl --failed --no-legend --plain')).toBe('')
  // What is logged on a sender arrives at the collector, under the sender's name.
  if (node === 'thirteen') return
  said(node, `logger -t probe "greetings from ${node}"`)
  let arrived = ''
  for (let i = 0; i < 50 && !arrived.includes(`greetings from ${node}`); i++, await sleep(300)) arrived = said('thirteen', `cat /var/log/collected/${node}/messages.log`)
  expect(arrived).toContain(`${node} probe`)
})

test('a commit runs what it changes and nothing else, and services are reloaded, restarted or left alone as they should be', async () => {
  const key = readFileSync(join(folder, 'key.pub'), 'utf8').trim()
  const before = NODES.map((node) => ({ unbound: pid(node, 'unbound.service'), memcached: pid(node, 'memcached.service'), ssh: pid(node, 'ssh.service'), exporter: pid(node, 'prometheus-node-exporter.service') }))
  rack.commit({ 'deployment.yaml': (text) => text.replace(/keys: \[".*"\]/, `keys: ["${key}"]`).replace('www: [192.168.129.81, 192.168.129.82]', 'www: [192.168.129.83]').replace('memoryMiB: 32', 'memoryMiB: 48') })
  const steps = (...roles: readonly string[]): string[] => roles.flatMap((role) => NODES.map((node) => `base/${role}@${node}`)).toSorted()
  // The two roles of a barclamp have its attributes in common, so dns-client looks again, and finds nothing to do.
  expect(await applied()).toEqual({ state: 'complete', failed: [], sent: steps('access', 'dns-client', 'dns-server', 'memcached') })
  for (const [i, node] of NODES.entries()) {
    expect(said(node, `dig +short @${ADDRESS[node]} www.base.example.com`, { tools: 'host' })).toBe('192.168.129.83')
    expect({ unbound: pid(node, 'unbound.service'), ssh: pid(node, 'ssh.service'), exporter: pid(node, 'prometheus-node-exporter.service') }).toEqual({ unbound: before[i]?.unbound, ssh: before[i]?.ssh, exporter: before[i]?.exporter })
    expect(pid(node, 'memcached.service')).not.toBe(before[i]?.memcached)
    const login = `ssh -i ${join(folder, 'key')} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes ann@${ADDRESS[node]} 'sudo -n id -un'`
    expect(on(node, login, { tools: 'host' })).toEqual({ code: 0, said: 'root' })
  }
  expect((await rack.apply()).outcome).toBe('nothing')
})

test('the last administrator is not locked out, and nothing is changed by trying', async () => {
  const deployment = (text: string): string => text.replace('sudo: free', 'sudo: none')
  rack.commit({ 'deployment.yaml': deployment })
  const before = await rack.now()
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  const told = JSON.stringify(await rack.eventsAfter(before))
  expect(told).toContain('access@twelve')
  expect(said('twelve', 'sudo -l -U ann')).toContain('(ALL : ALL) NOPASSWD: ALL')
  rack.commit({ 'deployment.yaml': (text) => text.replace('sudo: none', 'sudo: free') })
  expect((await rack.applyToTheEnd()).state).toBe('complete')
})

test('accounts get numbers of people, name servers listen where they are told, be it twice, and what is drained is away until it is resumed', async () => {
  const operation = (what: string): string => `---\nkind: operation\nname: ${what}-eleven\ndo: [${what}]\nnodes: [eleven]\n`
  const running = (): string[] => said('eleven', 'systemctl is-active unbound.service memcached.service').split('\n')
  const asked = (node: Node): string => said(node, `dig +short +tries=1 +timeout=2 @${ADDRESS[node]} thirteen.base.example.com`, { tools: 'host' })
  rack.commit({ 'deployment.yaml': (text) => text.replace('dns: { recursion: false', 'dns: { listen: [127.0.0.1, 0.0.0.0, "::1"], recursion: false').replace('backup-job: {', 'edge: { uid: 59999 }\n      zoe: {}\n      backup-job: {') })
  expect(await applied()).toMatchObject({ state: 'complete', failed: [] })
  expect(NODES.map((node) => Number(said(node, 'id -u zoe')) < 59999)).toEqual(NODES.map(() => true))
  expect(NODES.map(asked)).toEqual(NODES.map(() => ADDRESS.thirteen))
  rack.commit({ 'nodes.yaml': (text) => `${text}${operation('drain')}` })
  expect(await applied()).toMatchObject({ state: 'complete', failed: [] })
  expect(running()).toEqual(['inactive', 'inactive'])
  expect([asked('eleven') === ADDRESS.thirteen, asked('twelve')]).toEqual([false, ADDRESS.thirteen])
  // The node itself asks the next one meanwhile.
  expect(said('eleven', 'getent hosts twelve')).toMatch(/^192\.168\.129\.83\s/)
  rack.commit({ 'nodes.yaml': (text) => `${text}${operation('resume')}` })
  expect(await applied()).toMatchObject({ state: 'complete', failed: [] })
  expect([running(), asked('eleven')]).toEqual([['active', 'active'], ADDRESS.thirteen])
})

test('roles that run again find nothing to do', async () => {
  const roles = ['access', 'dns-client', 'dns-server', 'logging-collector', 'memcached', 'ntp-client', 'package-sources', 'prometheus-node-exporter']
  const again = (role: string, node: string): string => `---\nkind: operation\nname: again-${role}\ndo: [run]\nrole: ${role}\nnodes: [${node}]\n`
  rack.commit({ 'nodes.yaml': (text) => `${text}${[...roles.map((role) => again(role, 'thirteen')), again('ntp-server', 'twelve'), again('logging-sender', 'eleven')].join('')}` })
  const before = await rack.now()
  expect(await applied()).toMatchObject({ state: 'complete', failed: [] })
  const done = (await rack.eventsAfter(before)).flatMap((event) => (event.type === 'step.succeeded' ? [event.data.step] : []))
  expect(done).toEqual([])
})

test('every check says that all is well', async () => {
  rack.commit({ 'nodes.yaml': (text) => `${text}---\nkind: operation\nname: look\ndo: [check]\nwhere: "!node.admin"\nrollout: { batches: [100%] }\n` })
  expect(await applied()).toMatchObject({ state: 'complete', failed: [] })
})

test('what is removed is gone, and the nodes are as before', async () => {
  rack.commit({ 'deployment.yaml': () => 'kind: deployment\nname: base\nroles: {}\n', 'nodes.yaml': (text) => text.replace(/---\nkind: operation[^]*/, '') })
  expect(await applied()).toMatchObject({ state: 'complete', failed: [] })
  for (const node of NODES) {
    expect(said(node, "dpkg-query --show --showformat '${Package} ${db:Status-Status}\\n' chrony unbound rsyslog memcached prometheus-node-exporter openssh-server sudo 2>/dev/null | grep ' installed'")).toBe('')
    expect(said(node, 'ls -d /var/lib/crowbar-roles /etc/unbound /etc/chrony/chrony.conf /etc/memcached.conf /etc/rsyslog.d/*crowbar* /etc/rsyslog-crowbar /etc/ssh/crowbar-keys /etc/sudoers.d/crowbar-access /etc/pip.conf /etc/npmrc /etc/apt/sources.list.d/crowbar.sources /etc/systemd/system/chrony.service.d /etc/systemd/system/unbound.service.d /etc/systemd/system/memcached.service.d 2>/dev/null')).toBe('')
    expect(said(node, 'getent passwd ann backup-job edge zoe')).toBe('')
    expect(rack.read(node, 'etc/resolv.conf') ?? '').not.toContain('Crowbar')
    expect(said(node, 'ss -Hltnu | grep -cE ":(53|123|6514|9100|11211|22)\\b"')).toBe('0')
    expect(said(node, 'systemctl --failed --no-legend --plain')).toBe('')
    // Its socket did not start it again with half of its files.
    expect(said(node, 'journalctl --unit rsyslog.service --no-pager | grep -c "could not be accessed"')).toBe('0')
  }
  // What was collected is the site's.
  expect(said('thirteen', 'ls /var/log/collected')).toBe('eleven\ntwelve')
})

import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needDebianPackages } from '../debian-packages.ts'
import { BootLink, type RunningBoot } from './boot-link.ts'

const admin = '192.168.124.10'
const machine = '52-54-00-aa-00-01'

let link: BootLink
let boot: RunningBoot
/** Names are loaders of made-up architectures, so that TFTP serves them; the sizes are where servers go wrong. */
const files: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  'one-block': randomBytes(512),
  'many-blocks': randomBytes(512 * 7),
  odd: randomBytes(100_001),
  loader: randomBytes(850_000),
  // More than 65,536 blocks of 512 bytes: the block number starts again.
  large: randomBytes(512 * 65_536 + 4321),
}
const text = Buffer.from('one\ntwo\r\nthree')
const sha256 = createHash('sha256').update(files['large'] ?? '').digest('hex')

beforeAll(async () => {
  await needDebianPackages(['iproute2', 'perl-base', 'atftp', 'tftp-hpa', 'curl', 'busybox-static', 'netbase', 'netcat-openbsd'])
  link = await BootLink.open()
  await link.connect('m1', { device: 'eth1', address: `${admin}/24`, machineAddress: '192.168.124.21/24' })
  const all = { ...files, text }
  for (const [name, bytes] of Object.entries(all)) await writeFile(join(link.folder, name), bytes)
  const paths = Object.fromEntries(Object.keys(all).map((name) => [name, join(link.folder, name)]))
  boot = await link.serve({
    interfaces: [
      {
        name: 'eth1',
        address: admin,
        mode: 'server',
        subnet: { name: 'admin', cidr: '192.168.124.0/24', pools: [], reservations: [], dns: [], leaseSeconds: { boot: 120, host: 3600 } },
      },
    ],
    answer: { kind: 'discovery', kernel: `/artifacts/sha256/${sha256}`, initrd: '/boot/files/odd', commandLine: 'console=ttyS0' },
    answers: { '52:54:00:aa:00:02': { kind: 'hold', reason: 'waits for approval' }, '52:54:00:aa:00:03': { kind: 'local' } },
    loaderFolder: link.folder,
    loaders: Object.fromEntries(Object.keys(all).map((name, at) => [1000 + at, name])),
    files: paths,
    artifacts: { [sha256]: join(link.folder, 'large') },
  })
})
afterAll(() => link[Symbol.asyncDispose]())

/** A new hardware address each, or the watch for loops would end the test. */
let machines = 0
function path(name: string): string {
  machines += 1
  return `52-54-00-bb-00-${machines.toString(16).padStart(2, '0')}/${name}`
}

const clients: Readonly<Record<string, (remote: string, local: string) => readonly string[]>> = {
  'tftp-hpa': (remote, local) => ['tftp', '-m', 'binary', admin, '-c', 'get', remote, local],
  atftp: (remote, local) => ['atftp', '--get', '--remote-file', remote, '--local-file', local, admin],
  'atftp with blksize, tsize, timeout': (remote, local) => [
    'atftp', '--option', 'blksize 1468', '--option', 'tsize 0', '--option', 'timeout 3', '--get', '-r', remote, '-l', local, admin,
  ],
  'atftp with a window': (remote, local) => ['atftp', '--option', 'windowsize 16', '--option', 'blksize 1428', '--get', '-r', remote, '-l', local, admin],
  curl: (remote, local) => ['curl', '-sS', '-o', local, `tftp://${admin}/${remote}`],
  'curl without options': (remote, local) => ['curl', '-sS', '--tftp-no-options', '-o', local, `tftp://${admin}/${remote}`],
  busybox: (remote, local) => ['busybox', 'tftp', '-g', '-b', '1468', '-r', remote, '-l', local, admin],
}

describe.each(Object.keys(clients))('TFTP to %s', (name) => {
  // curl takes the size of an empty file, 0, for an error.
  const sizes = Object.keys(files).filter((file) => name !== 'curl' || file !== 'empty')
  test.each(sizes)('%s arrives byte for byte', async (file) => {
    const local = join(link.folder, `got-${name.replaceAll(/[ ,]/g, '-')}-${file}`)
    const result = await link.run('m1', clients[name]!(path(file), local), { timeoutMs: 60_000 })
    // atftp repeats its options there.
    expect(result.stderr.replaceAll(/^Option .*\n/gm, '')).toBe('')
    expect(result.code).toBe(0)
    // curl makes no file for nothing.
    const got = await readFile(local).catch(() => Buffer.alloc(0))
    expect(got.length).toBe(files[file]?.length)
    expect(got.equals(files[file]!)).toBe(true)
  })
})

describe('TFTP', () => {
  test('sends text as netascii', async () => {
    const local = join(link.folder, 'netascii')
    // tftp-hpa turns CR LF into LF again; curl keeps what is on the wire.
    await link.run('m1', ['curl', '-sS', '-B', '-o', local, `tftp://${admin}/${path('text')};mode=netascii`])
    expect(await readFile(local, 'latin1')).toBe('one\r\ntwo\r\nthree')
  })

  test('refuses to write, to leave the folder, and what is not there', async () => {
    const upload = await link.run('m1', ['curl', '-sS', '-T', join(link.folder, 'odd'), `tftp://${admin}/${path('odd')}`])
    expect(upload.code).toBe(69)
    for (const name of ['../../etc/passwd', '/etc/passwd', `${machine}/../../etc/passwd`, `${machine}\\odd`, 'odd', `${machine}/missing`]) {
      const result = await link.run('m1', ['atftp', '--get', '-r', name, '-l', join(link.folder, 'never'), admin])
      expect(result.code, name).not.toBe(0)
    }
    await expect(readFile(join(link.folder, 'never')).then((bytes) => bytes.length)).resolves.toBe(0)
    expect(boot.events.filter(({ type }) => type === 'boot.tftp.refused').length).toBeGreaterThanOrEqual(7)
  })

  test('refuses the loader to a machine that goes round in circles, until it asks for its script', async () => {
    const get = (): ReturnType<BootLink['run']> => link.run('m1', ['curl', '-sS', '-o', join(link.folder, 'again'), `tftp://${admin}/52-54-00-cc-00-01/odd`])
    for (let turn = 0; turn < 4; turn += 1) expect((await get()).code).toBe(0)
    expect(await boot.event('boot.loop')).toMatchObject({ mac: '52:54:00:cc:00:01', fetches: 4 })
    expect((await get()).code).not.toBe(0)
    await link.run('m1', ['curl', '-sS', `http://${admin}/boot/52-54-00-cc-00-01/ipxe`])
    expect((await get()).code).toBe(0)
  })

  test('serves a hundred at once', async () => {
    const script = `for i in $(seq 100); do curl -sS --tftp-blksize 1428 -o together-$i tftp://${admin}/52-54-00-dd-00-$(printf %02x $i)/odd & done; wait; sha256sum together-* | cut -c1-64 | sort | uniq -c`
    const { stdout } = await link.run('m1', ['sh', '-c', script], { timeoutMs: 60_000 })
    const expected = createHash('sha256').update(files['odd']!).digest('hex')
    expect(stdout.trim()).toBe(`100 ${expected}`)
  })
})

describe('HTTP to curl', () => {
  const curl = (...options: string[]): ReturnType<BootLink['run']> => link.run('m1', ['curl', '-sS', ...options])

  test('the script boots discovery, with where to find it', async () => {
    const { stdout } = await curl(`http://${admin}/boot/${machine}/ipxe?arch=7&uuid=11111111-2222-3333-4444-555555555555`)
    expect(stdout).toMatch(/^#!ipxe\n/)
    expect(stdout).toContain(`kernel http://${admin}/artifacts/sha256/${sha256} initrd=initrd console=ttyS0 || goto retry\n`)
    expect(stdout).toContain(`initrd --name initrd http://${admin}/boot/files/odd || goto retry\n`)
    expect(await boot.event('boot.http.script')).toMatchObject({ client: '192.168.124.21' })
  })

  test('the script of a held machine says why', async () => {
    expect((await curl(`http://${admin}/boot/52:54:00:aa:00:02/ipxe`)).stdout).toContain('on hold: waits for approval\n')
    expect((await curl(`http://${admin}/boot/525400aa0003/ipxe`)).stdout).toContain('sanboot --no-describe --drive 0x80')
  })

  test('a large artifact arrives whole, in ranges, and resumed', async () => {
    const url = `http://${admin}/artifacts/sha256/${sha256}`
    const large = files['large']!
    await curl('-o', 'whole', url)
    expect((await readFile(join(link.folder, 'whole'))).equals(large)).toBe(true)
    await curl('-r', '1000-6000000', '-o', 'middle', url)
    expect((await readFile(join(link.folder, 'middle'))).equals(large.subarray(1000, 6_000_001))).toBe(true)
    await curl('-r', '-777', '-o', 'tail', url)
    expect((await readFile(join(link.folder, 'tail'))).equals(large.subarray(-777))).toBe(true)
    await writeFile(join(link.folder, 'resumed'), large.subarray(0, 20_000_000))
    await curl('-C', '-', '-o', 'resumed', url)
    expect((await readFile(join(link.folder, 'resumed'))).equals(large)).toBe(true)
  })

  test('HEAD, conditional requests and ranges beyond the end are answered as they should be', async () => {
    const url = `http://${admin}/artifacts/sha256/${sha256}`
    const status = async (...options: string[]): Promise<string> => (await curl('-o', '/dev/null', '-w', '%{http_code} %{size_download}', ...options)).stdout
    const { stdout: head } = await curl('-I', url)
    expect(head).toMatch(/^HTTP\/1.1 200 OK/)
    expect(head.toLowerCase()).toContain(`content-length: ${files['large']!.length}`)
    expect(head.toLowerCase()).toContain(`etag: "${sha256}"`)
    expect(await status('-H', `If-None-Match: "${sha256}"`, url)).toBe('304 0')
    expect(await status('-r', '99999999-', url)).toBe('416 0')
    expect(await status('-r', '0-9', '-H', `If-Range: "${sha256}"`, url)).toBe('206 10')
    expect(await status('-r', '0-9', '-H', 'If-Range: "other"', `http://${admin}/boot/files/odd`)).toBe('200 100001')
    expect(await status('-X', 'POST', '-d', 'x', url)).toBe('405 0')
  })

  test.each(['/', '/boot/', '/boot/files/', '/boot/files/../../etc/passwd', '/boot/files/%2e%2e%2fetc%2fpasswd', '/artifacts/sha256/00', '/boot/nobody/ipxe', `/boot/${machine}/nothing`])(
    'nothing is at %s',
    async (where) => {
      expect((await curl('--path-as-is', '-o', '/dev/null', '-w', '%{http_code}', `http://${admin}${where}`)).stdout).toBe('404')
    },
  )

  test('the URL in a script is where the client asked, whatever its Host header says', async () => {
    const { stdout } = await curl('-H', 'Host: evil.example.com', `http://${admin}/boot/52:54:00:aa:00:02/ipxe`)
    expect(stdout).toContain(`chain --replace --autofree http://${admin}/boot/52:54:00:aa:00:02/ipxe || goto hold`)
  })

  test('a client that breaks off leaves nothing behind', async () => {
    await link.run('m1', ['sh', '-c', `curl -sS --limit-rate 1M -m 1 -o /dev/null http://${admin}/artifacts/sha256/${sha256}`])
    const { stdout } = await link.run('admin', ['sh', '-c', `ls -l /proc/*/fd 2>/dev/null | grep -c "${link.folder}/large" || true`])
    expect(Number(stdout)).toBe(0)
  })
})

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ApplyAnswer, Tried } from '../../schemas/control.ts'
import type { LedgerNode } from '../../schemas/ledger.ts'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'
import { HOLD_FILES, ODD, ODD_FILES, SCALARS, TOOLS } from './jig-barclamps.ts'

/** Ansible, Puppet, CFEngine and a program of one's own on nodes of three Debian releases, from staged packages. */
let rack: TestRack

beforeAll(async () => {
  rack = await openHeldRack('site-examples/any-cmdb')
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
})

const MOTTO = '100 % {{ as written }}'
const CHAINS = [
  { name: 'from-old', token: 'old', seal: 'present', copy: 'next', port: 8443 },
  { name: 'from-present', token: 'present', seal: 'next', copy: 'old', port: 8444 },
  { name: 'from-next', token: 'next', seal: 'old', copy: 'present', port: 8445 },
] as const
const file = (node: string, name: string): string | undefined => rack.read(node, `var/lib/chain/${name}`)
const tokens = (): string[] => CHAINS.map(({ token }) => file(token, 'token') ?? '')

/** What a chain hands on, as it has to arrive. */
function sealed({ token, port }: (typeof CHAINS)[number]): string {
  const address = rack.report.nodes.find(({ name }) => name === token)?.address ?? ''
  return `${file(token, 'token')}@${address}:${port} ${MOTTO}`
}

test('four tools hand values to each other across three releases', () => {
  expect(rack.report.problems).toEqual([])
  expect(rack.report.outcome).toBe('complete')
  expect(rack.report.nodes.map(({ name, os }) => [name, os])).toEqual([['next', 'debian-13'], ['old', 'debian-11'], ['present', 'debian-12']])
  for (const chain of CHAINS) {
    const states = Object.fromEntries(rack.report.steps.filter(({ id }) => id.startsWith(`${chain.name}/`)).map(({ id, state }) => [id.slice(chain.name.length + 1), state]))
    expect(states).toEqual({ [`token@${chain.token}`]: 'succeeded', [`seal@${chain.seal}`]: 'succeeded', [`copy@${chain.copy}`]: 'succeeded', [`report@${chain.token}`]: 'unchanged' })
    expect(file(chain.token, 'token')).toMatch(/^[0-9a-f]{32}$/)
    expect(file(chain.token, 'settings')).toBe(`${chain.port} ${MOTTO}\n`)
    expect(file(chain.seal, 'sealed')).toBe(sealed(chain))
    expect(file(chain.copy, 'copied')).toBe(`${sealed(chain)}\n`)
    expect(rack.report.reported[`${chain.name}/report@${chain.token}`]).toEqual({ length: sealed(chain).length })
  }
  expect(new Set(tokens()).size).toBe(3)
})

test('what a program reports about its node is kept with its step', async () => {
  const applied = rack.clone({ bare: true })
  const published = JSON.parse(execFileSync('git', ['show', 'refs/crowbar/applied:nodes/old.json'], { cwd: applied, encoding: 'utf8' })) as LedgerNode
  expect(published.steps['from-old/report@old']?.facts).toEqual({ roundTrips: 1 })
})

test('the tokens are in no event', async () => {
  const log = JSON.stringify(await rack.eventsAfter(0))
  for (const token of tokens()) expect(log.includes(token)).toBe(false)
})

const dryRun = (): Promise<ApplyAnswer> => rack.client.post<ApplyAnswer>('/apply', { ref: null, approve: [], dryRun: 'nodes' })
const tried = ({ preview }: ApplyAnswer): Record<string, Tried | undefined> => Object.fromEntries((preview?.steps ?? []).map((step) => [step.id, step.tried]))

/** Every file that the nodes have of their own, but for what their systems, caches and tools keep about themselves. */
function changedFiles(): string {
  const kept = /^(\.\/)?(var\/(log|cache|tmp|lib\/(crowbar|systemd|cfengine3|dhcp|private))|root\/\.ansible|run|tmp|dev|proc|sys)(\/|$)/
  return CHAINS.map(({ token: node }) => {
    const root = rack.rack.filesOf(node)
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name).slice(root.length + 1)).filter((path) => !kept.test(path)).toSorted()
    const sums = files.length === 0 ? '' : execFileSync('xargs', ['-0', 'stat', '--format', '%n %s %Y %a'], { cwd: root, input: files.join('\0'), encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 })
    return `${node}\n${sums}`
  }).join('\n')
}

test('a dry run says what each tool would change on its node, and changes nothing', async () => {
  rack.commit({
    'deployment.yaml': (text) => text.replaceAll('as written', 'as rewritten'),
    'barclamps/chain/policies/copy.cf': (text) => text.replace('mode => "600"', 'mode => "640"'),
  })
  const before = { files: changedFiles(), seq: await rack.now(), status: await rack.status() }
  const answer = await dryRun()
  expect(answer.outcome).toBe('planned')
  const steps = tried(answer)
  for (const { name, token, seal, copy } of CHAINS) {
    const [ansible, puppet, cfengine, exec] = [steps[`${name}/token@${token}`], steps[`${name}/seal@${seal}`], steps[`${name}/copy@${copy}`], steps[`${name}/report@${token}`]]
    // Ansible shows the change with its text: this role is given no secret.
    expect(ansible).toMatchObject({ because: null, foreseen: [{ what: 'the settings are as they should be', at: expect.stringMatching(/^playbooks\/token\.yml:\d+$/) as unknown, effect: 'change', detail: expect.stringMatching(/^-.*as written[^]*^\+.*as rewritten/m) as unknown }] })
    expect(puppet).toMatchObject({ because: null, assumes: [`${name}/token@${token}`], foreseen: [{ what: 'File[/var/lib/chain/sealed]', at: expect.stringMatching(/^manifests\/seal\.pp:\d+$/) as unknown, effect: 'change' }] })
    // Newer cf-agents also count a file that is emptied before it is edited, whatever comes of it; its text is a secret.
    expect(cfengine).toMatchObject({ because: null, assumes: [`${name}/seal@${seal}`] })
    expect(cfengine?.foreseen).toContainEqual({ what: 'files promise', at: 'policies/copy.cf:6', effect: 'change', detail: expect.stringMatching(/\/var\/lib\/chain\/copied' .*0600.*0640/) as unknown })
    expect(exec).toMatchObject({ foreseen: [{ what: 'programs/report.py', effect: 'change', detail: 'what came around last is not what would be sent now' }] })
  }
  expect(JSON.stringify(answer)).not.toContain(tokens()[0])
  expect(changedFiles()).toBe(before.files)
  expect((await rack.eventsAfter(before.seq)).map(({ type }) => type).filter((type) => type.startsWith('step.') || type.startsWith('run.'))).toEqual([])
  const after = await rack.status()
  expect(after.steps).toEqual(before.status.steps)
  expect(after.run).toEqual(before.status.run)
})

test('the change is carried out, and goes round', async () => {
  const { state, sent } = await rack.applyToTheEnd()
  expect(state).toBe('complete')
  expect(sent).toEqual(CHAINS.flatMap(({ name, token, seal, copy }) => [`${name}/token@${token}`, `${name}/seal@${seal}`, `${name}/copy@${copy}`, `${name}/report@${token}`]).toSorted())
  for (const chain of CHAINS) expect(file(chain.copy, 'copied')).toBe(`${sealed(chain).replace('as written', 'as rewritten')}\n`)
})

/** Commits and pushes files, new ones too. @returns the clone, for whoever looks further. */
function commitFiles(files: Readonly<Record<string, string>>, then: (clone: string) => void = () => undefined): string {
  const clone = rack.clone()
  writeFiles(clone, files)
  then(clone)
  const git = (...args: string[]): string => execFileSync('git', ['-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args], { cwd: clone, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  git('add', '.')
  git('commit', '--quiet', '--message', 'A change')
  git('push', '--quiet', 'origin', 'HEAD:main')
  return clone
}

function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

const faults = (role: string): Record<string, string> => ({ 'faults.yaml': `kind: deployment\nname: faults\nroles: { ${role}: { nodes: [old, present, next] } }\n` })

test.each([
  ['Ansible', 'faulty-playbook', /faulty\.yml ended with exit code 2: task 'it cannot be done' \(faulty\.yml:4\): non-zero return code/],
  ['Puppet', 'faulty-manifest', /faulty\.pp ended with exit code [46]: Exec\[\/bin\/false\] \(faulty\.pp:2\): .*\/bin\/false/],
  ['CFEngine', 'faulty-policy', /faulty\.cf: files promise \(faulty\.cf:4\): error: .*\/proc\/nothing\/there/],
])('a failure of %s says which task, file and line it was, on every release', async (_, role, message) => {
  commitFiles({
    'barclamps/faulty/barclamp.yaml': 'kind: barclamp\nname: faulty\nversion: 1.0.0\nroles:\n  faulty-playbook: { jig: ansible, run: faulty.yml }\n  faulty-manifest: { jig: puppet, run: faulty.pp }\n  faulty-policy: { jig: cfengine, run: faulty.cf }\n',
    'barclamps/faulty/faulty.yml': '- hosts: all\n  gather_facts: false\n  tasks:\n    - name: it cannot be done\n      ansible.builtin.command: { cmd: "false" }\n',
    'barclamps/faulty/faulty.pp': "notice('so far')\nexec { '/bin/false': }\n",
    'barclamps/faulty/faulty.cf': 'bundle agent __main__\n{\n  files:\n    "/proc/nothing/there" create => "true";\n}\n',
    ...faults(role),
  })
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  const failed = (await rack.status()).steps.filter(({ state }) => state === 'failed')
  expect(failed.map(({ id }) => id).toSorted()).toEqual(['next', 'old', 'present'].map((node) => `faults/${role}@${node}`))
  for (const one of failed) expect(one.reason).toMatch(message)
})

test('the mended commit goes on; a chain that it takes away is undone, by each tool, and the others stay', async () => {
  commitFiles({ 'barclamps/faulty/faulty.cf': 'bundle agent __main__\n{\n  files:\n    "/var/lib/mended" create => "true";\n}\n' })
  rack.commit({ 'deployment.yaml': (text) => text.split('---\n').filter((one) => !one.includes('name: from-next')).join('---\n') })
  const { state, sent } = await rack.applyToTheEnd()
  expect(state).toBe('complete')
  expect(sent.filter((id) => id.startsWith('from-next/'))).toEqual(['from-next/copy@present#remove', 'from-next/report@next#remove', 'from-next/seal@old#remove', 'from-next/token@next#remove'])
  expect(sent.filter((id) => id.startsWith('faults/'))).toEqual(['faults/faulty-policy@next', 'faults/faulty-policy@old', 'faults/faulty-policy@present'])
  expect(sent.filter((id) => /^from-(old|present)\//.test(id))).toEqual([])
  expect([file('next', 'token'), file('old', 'sealed'), file('present', 'copied')]).toEqual([undefined, undefined, undefined])
  expect([file('next', 'sealed'), file('next', 'copied')]).not.toContain(undefined)
})

/** A role of Ansible as its authors publish it, in a repository of theirs that knows nothing of Crowbar. */
function upstreamRole(folder: string): void {
  const files: Record<string, string> = {
    'README.md': '# logrotate\n\nRotates the logs of applications. Role variables: see defaults/main.yml.\n',
    '.yamllint': 'extends: default\n',
    'meta/main.yml': 'galaxy_info: { author: somebody, description: Rotates logs, license: MIT, min_ansible_version: "2.9", platforms: [{ name: Debian, versions: [all] }] }\ndependencies: []\n',
    'defaults/main.yml': 'logrotate_folder: /etc/logrotate.d\nlogrotate_applications: []\nlogrotate_defaults: [missingok, notifempty]\n',
    'vars/Debian.yml': '__logrotate_group: adm\n',
    'tasks/main.yml': [
      '- name: Load what differs between families', '  ansible.builtin.include_vars: "{{ ansible_facts.os_family }}.yml"',
      '- name: Refuse what has no name', '  ansible.builtin.assert: { that: [item.name is defined, item.paths is iterable], quiet: true }', '  loop: "{{ logrotate_applications }}"', '  loop_control: { label: "{{ item.name }}" }',
      '- name: Make sure of the folder', '  ansible.builtin.file: { path: "{{ logrotate_folder }}", state: directory, mode: "0755" }',
      '- name: Write a file for each application', '  ansible.builtin.template: { src: application.j2, dest: "{{ logrotate_folder }}/{{ item.name }}", mode: "0644" }', '  loop: "{{ logrotate_applications }}"', '  loop_control: { label: "{{ item.name }}" }', '  notify: note that the logs of applications changed', '',
    ].join('\n'),
    'handlers/main.yml': '- name: note that the logs of applications changed\n  ansible.builtin.copy: { content: "{{ logrotate_applications | map(attribute=\'name\') | sort | join(\',\') }}\\n", dest: /var/lib/logrotate.applications, mode: "0600" }\n',
    'templates/application.j2': '# {{ ansible_managed }}\n{{ item.paths | join(" ") }} {\n    rotate {{ item.rotate | default(7) }}\n    su root {{ __logrotate_group }}\n{% for option in logrotate_defaults + item.options | default([]) %}\n    {{ option }}\n{% endfor %}\n}\n',
  }
  const git = (...args: string[]): string => execFileSync('git', ['-c', 'user.name=somebody', '-c', 'user.email=somebody@example.com', ...args], { cwd: folder, encoding: 'utf8', env: { ...process.env, GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' } })
  writeFiles(folder, files)
  git('init', '--quiet', '--initial-branch', 'main')
  git('add', '.')
  git('commit', '--quiet', '--message', 'logrotate 1.4.0')
  git('tag', 'v1.4.0')
}

test('a role of somebody else, taken as it is, does the same by Crowbar and by ansible-playbook from what was exported', async () => {
  const upstream = mkdtempSync(join(tmpdir(), 'crowbar-upstream-'))
  const exported = mkdtempSync(join(tmpdir(), 'crowbar-exported-'))
  try {
    upstreamRole(upstream)
    const barclamp = [
      'kind: barclamp', 'name: logrotate', 'version: 1.0.0', 'description: The role logrotate of somebody else', 'upstream:', `  roles/logrotate: { git: "${upstream}", ref: v1.4.0 }`,
      'attributes: { type: object, additionalProperties: false, properties: { applications: { type: array, default: [] } } }', 'roles:', '  logrotate: { jig: ansible, run: playbook.yml }', '',
    ].join('\n')
    expect(barclamp.split('\n').length).toBeLessThan(20)
    const clone = commitFiles({
      'barclamps/logrotate/barclamp.yaml': barclamp,
      'barclamps/logrotate/playbook.yml': '- hosts: all\n  roles:\n    - { role: logrotate, logrotate_applications: "{{ logrotate.applications }}" }\n',
      'logs.yaml': 'kind: deployment\nname: logs\nroles:\n  logrotate: { nodes: [old, present, next] }\nattributes:\n  logrotate: { applications: [{ name: shop, paths: [/srv/shop/*.log], rotate: 3, options: [compress] }, { name: "mail {{ x }}", paths: [/a] }] }\n',
    }, (unpinned) => {
      expect(crowbar('plan', '--frozen', '--site', unpinned)).toMatchObject({ code: 1, stderr: expect.stringContaining('BARCLAMP_UNPINNED') as unknown })
      expect(crowbar('lock', '--site', unpinned)).toMatchObject({ code: 0 })
    })
    expect(readFileSync(join(clone, 'site.lock.json'), 'utf8')).toContain(`"${upstream} v1.4.0"`)
    expect(crowbar('export', '--to', 'ansible', '--site', clone, '--out', exported)).toMatchObject({ code: 0 })
    // By Crowbar on two nodes; on the third by hand, on what its own release calls ansible-playbook.
    const answer = await rack.client.post<ApplyAnswer>('/apply', { ref: null, approve: [], dryRun: false, exclude: ['logs/logrotate@next'] })
    expect(answer).toMatchObject({ outcome: 'started', selection: { excluded: 1 } })
    expect((await rack.runEnded()).run?.state).toBe('complete')
    const seen = (node: string): unknown => ['etc/logrotate.d/shop', 'etc/logrotate.d/mail {{ x }}', 'var/lib/logrotate.applications'].map((path) => rack.read(node, path))
    expect(seen('next')).toEqual([undefined, undefined, undefined])
    cpSync(exported, join(rack.rootOf('next'), 'root/site'), { recursive: true })
    rack.run('next', ['sh', '-c', 'cd /root/site && ansible-playbook --connection local --limit next site.yml'])
    expect(seen('next')).toEqual(seen('present'))
    expect(seen('old')).toEqual(seen('present'))
    expect(rack.read('present', 'etc/logrotate.d/shop')).toBe('# Ansible managed\n/srv/shop/*.log {\n    rotate 3\n    su root adm\n    missingok\n    notifempty\n    compress\n}\n')
  } finally {
    rmSync(upstream, { recursive: true, force: true })
    rmSync(exported, { recursive: true, force: true })
  }
})

const NODES = ['next', 'old', 'present'] as const

/** What the ledger says of a node's steps of `odd`, once it says it of all: it is published a moment after a run ends. */
async function odd(node: string): Promise<LedgerNode['steps']> {
  for (const deadline = Date.now() + 60_000; ; await sleep(500)) {
    const text = execFileSync('git', ['show', `refs/crowbar/applied:nodes/${node}.json`], { cwd: rack.clone({ bare: true }), encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    const { steps } = JSON.parse(text) as LedgerNode
    if (Object.keys(steps).filter((id) => id.startsWith('odd/')).length === TOOLS.length) return steps
    if (Date.now() > deadline) throw new Error(`the ledger does not have all steps of ${node}`)
  }
}

test('what every tool is given, on every release, is what the site says, and so is what comes back of it', async () => {
  commitFiles(ODD_FILES)
  const { state, sent } = await rack.applyToTheEnd()
  expect((await rack.status()).steps.filter((one) => one.state === 'failed')).toEqual([])
  expect([state, sent.filter((id) => id.startsWith('odd/')).length]).toEqual(['complete', NODES.length * TOOLS.length])
  for (const node of NODES) {
    const steps = await odd(node)
    for (const tool of TOOLS.filter((one) => one !== 'cfengine')) expect(steps[`odd/odd-${tool}@${node}`]?.provides, `${tool} on ${node}`).toEqual({ all: ODD })
    expect(steps[`odd/kept-cfengine@${node}`]?.provides['all'], node).toBe(SCALARS.map((value, i) => `${i} ${typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value)}\n`).join(''))
  }
})

const heldSecret = (node: string, tool: string): string => (rack.read(node, `var/lib/hold/${tool}`) ?? '').trim()

/** Waits until a tool of the barclamp holds on a node for the nth time; gives the process that does. */
async function held(node: string, tool: string, nth: number): Promise<string> {
  for (const deadline = Date.now() + 300_000; Date.now() < deadline; await sleep(100)) {
    const pids = (rack.read(node, `var/lib/hold/${tool}.starts`) ?? '').split('\n').filter((one) => one !== '')
    if (pids.length >= nth) return pids[nth - 1] as string
  }
  throw new Error(`${tool} did not hold on ${node}`)
}

test('a secret is on no command line and, though the node agent is killed in the middle of every tool, nowhere on a node when the step is over', async () => {
  commitFiles(HOLD_FILES)
  expect(await rack.apply()).toMatchObject({ outcome: 'started' })
  const seen: string[] = []
  for (const tool of TOOLS) {
    for (const node of NODES) {
      const first = await held(node, tool, 1)
      seen.push(rack.run(node, ['sh', '-c', 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true']))
      rack.run(node, ['systemctl', 'kill', '--kill-who=main', '--signal=KILL', 'crowbar-node'])
      const second = await held(node, tool, 2)
      // What the one before left is gone when the attempt that follows it runs.
      expect(rack.run(node, ['sh', '-c', `kill -0 ${first} 2>/dev/null || echo gone; kill -0 ${second} && echo there; ls -d /var/lib/crowbar/work/tasks/role-* | wc -l`]), `${tool} on ${node}`).toBe('gone\nthere\n1\n')
      rack.run(node, ['touch', `/var/lib/hold/${tool}.go`])
    }
  }
  expect((await rack.runEnded()).run?.state).toBe('complete')
  const secret = heldSecret('old', 'script')
  expect(secret).toMatch(/^[0-9a-f]{32}$/)
  expect(seen.filter((text) => text.includes(secret))).toEqual([])
  for (const node of NODES) {
    expect(TOOLS.map((tool) => heldSecret(node, tool))).toEqual(TOOLS.map(() => secret))
    const root = rack.rack.filesOf(node)
    const found = execFileSync('sh', ['-c', 'grep -rlF -f - . || true'], { cwd: root, input: secret, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    expect(found.split('\n').filter((one) => one !== '').toSorted(), node).toEqual(TOOLS.map((tool) => `./var/lib/hold/${tool}`).toSorted())
    expect(rack.run(node, ['sh', '-c', `journalctl --no-pager --all | grep -F ${secret} | sed s/${secret}/SECRET/g; grep -rlF ${secret} /run /tmp /dev/shm /var/tmp /var/lib/crowbar 2>/dev/null; true`]), node).toBe('')
  }
})

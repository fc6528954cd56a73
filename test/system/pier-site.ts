import type { Random } from '../agent/engine/random-site.ts'

/** The roles of the site: `b` hears from every `a` what it told, `c` destroys what it had. */
export const ROLES = ['a', 'b', 'c'] as const
export type Role = (typeof ROLES)[number]

/** What the site says, as far as it is edited at random. */
export interface PierSite {
  /** The nodes by the names that they began with, which are those of the machines in the rack. */
  readonly nodes: readonly string[]
  /** What nodes are called since they were renamed. */
  readonly names: Readonly<Record<string, string>>
  /** What they were called before, for as long as the site says so. */
  readonly moved: Readonly<Record<string, string>>
  /** Role → node → version. The first node always has `a`, so that there is somebody for `b` to hear from. */
  readonly roles: Readonly<Record<Role, Readonly<Record<string, number>>>>
  /** `role@node` of what fails half-way, as long as the site says so. */
  readonly broken: ReadonlySet<string>
  readonly operations: readonly { readonly name: string; readonly nodes: readonly string[]; readonly reboot: boolean }[]
  readonly rollout: string | null
}

export function startingSite(count: number): PierSite {
  const nodes = Array.from({ length: count }, (_, index) => `n${String(index + 1).padStart(2, '0')}`)
  const on = (every: number): Record<string, number> => Object.fromEntries(nodes.filter((_, index) => index % every === 0).map((node) => [node, 1]))
  return { nodes, names: {}, moved: {}, roles: { a: on(1), b: on(2), c: on(3) }, broken: new Set(), operations: [], rollout: null }
}

/** What a node is called. */
export function nameOf({ names }: PierSite, node: string): string {
  return names[node] ?? node
}

/** A node under a new name, or two under each other's. Only where nothing is unfinished: else it would be refused. */
export function renamed(site: PierSite, random: Random, version: number): PierSite {
  const node = site.nodes[random(site.nodes.length)] as string
  const other = site.nodes[random(site.nodes.length)] as string
  if (random(2) === 0 || other === node) return { ...site, names: { ...site.names, [node]: `m${version}` }, moved: { [node]: nameOf(site, node) } }
  const [one, two] = [nameOf(site, node), nameOf(site, other)]
  return { ...site, names: { ...site.names, [node]: two, [other]: one }, moved: { [node]: one, [other]: two } }
}

/** One commit: roles come, leave, change on one node or on all; something is broken; work to do once; another rollout. */
export function edited(site: PierSite, random: Random, version: number): PierSite {
  let { broken, operations, rollout } = site
  const roles: Record<Role, Readonly<Record<string, number>>> = { ...site.roles }
  for (let edits = 1 + random(4); edits > 0; edits--) {
    const role = ROLES[random(3)] as Role
    const node = site.nodes[random(site.nodes.length)] as string
    const others = Object.fromEntries(Object.entries(roles[role]).filter(([one]) => one !== node))
    const what = random(12)
    if (what < 3) roles[role] = role === 'a' && node === site.nodes[0] ? roles[role] : others
    else if (what < 7) roles[role] = { ...others, [node]: version }
    else if (what < 9) broken = new Set([...broken, `${role}@${node}`])
    else if (what === 9) roles[role] = Object.fromEntries(Object.keys(roles[role]).map((one) => [one, version]))
    else if (what === 10) operations = [{ name: `op-${version}-${edits}`, nodes: site.nodes.filter(() => random(6) === 0), reboot: random(3) === 0 }]
    else rollout = random(3) === 0 ? null : `{ batches: [1, ${1 + random(6)}], maxFailures: ${random(3)}, gate: { check: a, timeout: 60s }${['', ', pause: after-first', ', pause: after-each'][random(3)]} }`
  }
  // What is broken has to run to be it.
  const touched = new Set([...broken].filter((one) => !site.broken.has(one)))
  for (const role of ROLES) roles[role] = Object.fromEntries(Object.entries(roles[role]).map(([node, at]) => [node, touched.has(`${role}@${node}`) ? version : at]))
  return { ...site, roles, broken, operations: operations.filter(({ nodes }) => nodes.length > 0), rollout }
}

/** The same site with nothing broken in it. What failed runs again by itself. */
export function mended(site: PierSite): PierSite {
  return { ...site, broken: new Set() }
}

/** What a role leaves on its node when it has run as the site says. */
export function wholeOf({ roles }: PierSite, role: Role, node: string): string | undefined {
  const version = roles[role][node]
  if (version === undefined) return undefined
  const heard = role === 'b' ? `/${Object.entries(roles.a).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([one, at]) => `${one}.${at}`).join(',')}` : ''
  return `whole ${version}${heard}`
}

/** The files of the site repository. */
export function siteFiles(site: PierSite): Readonly<Record<string, string>> {
  return { 'site.yaml': SITE, 'nodes.yaml': nodes(site), 'deployment.yaml': deployment(site), ...Object.assign({}, ...ROLES.map(barclamp)) as Record<string, string> }
}

const SITE = `kind: site
name: pier
domain: pier.example.com
admin: { network: admin, address: 192.168.126.10 }
barclamps: [builtin, { path: barclamps }]
---
kind: network
name: admin
conduit: first-port
subnets:
  - cidr: 192.168.126.0/24
    ranges: { admin: 192.168.126.10-192.168.126.20, dhcp: 192.168.126.21-192.168.126.80, host: 192.168.126.81-192.168.126.160 }
---
kind: conduit
name: first-port
ports: [{ use: [{ index: 0 }] }]
---
kind: os
name: debian-12-joined
family: debian
version: "12"
architecture: amd64
install: joined
source: debian-bookworm
---
kind: node
name: admin
admin: true
networks: { admin: { address: 192.168.126.10 } }
---
kind: agent
node: admin
interfaces: { rack0: { network: admin, dhcp: server } }
`

function nodes(site: PierSite): string {
  const { roles, broken, moved } = site
  return site.nodes.map((node, index) => {
    const attributes = ROLES.flatMap((role) => {
      const version = roles[role][node]
      return version === undefined ? [] : [`${role}: { version: ${version}${broken.has(`${role}@${node}`) ? ', broken: true' : ''} }`]
    })
    const was = moved[node]
    return `kind: node\nname: ${nameOf(site, node)}\n${was === undefined ? '' : `moved: { from: ${was} }\n`}labels: { machine: ${node} }\nmachine: { mac: "52:54:00:12:5f:${String(index + 10)}" }\nos: debian-12-joined\nattributes: { ${attributes.join(', ')} }\n`
  }).join('---\n')
}

function deployment(site: PierSite): string {
  const { roles, operations, rollout } = site
  const named = (on: readonly string[]): string => on.map((node) => nameOf(site, node)).toSorted().join(', ')
  const bound = ROLES.filter((role) => Object.keys(roles[role]).length > 0).map((role) => `  ${role}: { nodes: [${named(Object.keys(roles[role]))}] }\n`)
  const once = operations.map(({ name, nodes: on, reboot }) => `---\nkind: operation\nname: ${name}\ndo: [drain, ${reboot ? 'reboot, ' : ''}resume]\nnodes: [${named(on)}]\n`)
  return `kind: deployment\nname: d\nroles:\n${bound.join('')}${rollout === null ? '' : `rollout: { a: ${rollout} }\n`}${once.join('')}`
}

function barclamp(role: Role): Readonly<Record<string, string>> {
  const special = {
    a: 'provides: { mark: { type: string } }\n    drain: note.sh\n    resume: note.sh\n    remove: { run: remove.sh, deletesData: false }',
    b: 'wants: { marks: { from: a, provide: mark, many: true } }\n    remove: { run: remove.sh, deletesData: false }',
    c: 'flags: [destructive]\n    onChange: { version: wipe }\n    remove: { run: remove.sh, deletesData: true }',
  }[role]
  const folder = `barclamps/${role}`
  return {
    [`${folder}/barclamp.yaml`]: `kind: barclamp
name: ${role}
version: 1.0.0
attributes:
  type: object
  additionalProperties: false
  properties: { version: { type: integer, default: 0 }, broken: { type: boolean, default: false } }
roles:
  ${role}:
    jig: script
    run: run.sh
    check: check.sh
    timeout: 2m
    ${special}
`,
    [`${folder}/what.sh`]: `# What this step is to leave, and where.
dir=/var/lib/pier; mkdir -p "$dir"; role=${role}
want=$(crowbar-get ${role}.version)
${role === 'b' ? 'want=$want/$(crowbar-get wants.marks | LC_ALL=C sort | paste -sd,)' : ''}
put() { echo "$1" >"$dir/.$role"; mv "$dir/.$role" "$dir/$role"; }
tell() { ${role === 'a' ? 'crowbar-provide mark "$(crowbar-get crowbar.node.labels.machine).$want"' : ':'}; }
`,
    [`${folder}/run.sh`]: `#!/bin/sh
set -eu
. ./what.sh
# Done again although it is there, whole and the same: somebody counted wrong.
[ "$(cat "$dir/$role" 2>/dev/null)" != "whole $want" ] || echo "$CROWBAR_STEP $want" >>"$dir/doubled"
put "half $want"
sleep 0.$(($$ % 7))
if [ "$(crowbar-get ${role}.broken)" = true ]; then exit 3; fi
tell
put "whole $want"
`,
    [`${folder}/check.sh`]: `#!/bin/sh
set -eu
. ./what.sh
[ "$(cat "$dir/$role" 2>/dev/null)" = "whole $want" ]
tell
`,
    [`${folder}/remove.sh`]: `#!/bin/sh
set -eu
dir=/var/lib/pier; role=${role}
[ -e "$dir/$role" ] || echo "$CROWBAR_STEP" >>"$dir/removed-twice"
sleep 0.$(($$ % 5))
rm -f "$dir/$role"
`,
    ...(role === 'a' ? { [`${folder}/note.sh`]: '#!/bin/sh\nset -eu\nmkdir -p /var/lib/pier\necho "$CROWBAR_STEP" >>/var/lib/pier/operations\n' } : {}),
  }
}

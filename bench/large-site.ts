import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Roles on every node. */
export const ROLES = 10

/**
 * Writes a site of so many nodes, each with a machine of its own in the inventory and ten roles; each role has a
 * schema, a template over node and site, and a value that it wants of every node that has the role before it.
 *
 * @returns bytes of all files.
 */
export function writeLargeSite(folder: string, nodes: number): number {
  let bytes = 0
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
    bytes += text.length
  }
  write('site.yaml', SITE)
  const roles = Array.from({ length: ROLES }, (_, i) => i)
  for (const i of roles) {
    write(`barclamps/b${i}/barclamp.yaml`, barclamp(i))
    write(`barclamps/b${i}/run.sh`, '#!/bin/sh\ntrue\n')
  }
  write('deployment.yaml', `kind: deployment\nname: main\nroles:\n${roles.map((i) => `  r${i}: { where: "'all' in node.tags" }\n`).join('')}`)
  const names = Array.from({ length: nodes }, (_, i) => String(i + 1).padStart(5, '0'))
  for (let at = 0; at < nodes; at += 100) write(`nodes/${names[at]}.yaml`, names.slice(at, at + 100).map(node).join('---\n'))
  for (const [i, name] of names.entries()) write(`inventory/m${name}.json`, `${JSON.stringify(inventory(name, i), null, 2)}\n`)
  return bytes
}

const SITE = `kind: site
name: large
domain: large.example.com
admin: { network: admin, address: 10.0.0.10 }
barclamps: [builtin, { path: barclamps }]
attributes:
  b0: { servers: [10.0.0.1, 10.0.0.2] }
---
kind: network
name: admin
conduit: first
subnets:
  - cidr: 10.0.0.0/16
    ranges: { admin: 10.0.0.10-10.0.0.20, dhcp: 10.0.1.0-10.0.1.255, host: 10.0.2.0-10.0.255.250 }
---
kind: conduit
name: first
ports:
  - use: [{ index: 0 }]
---
kind: node
name: adm
admin: true
---
kind: rule
name: large-machines
when: "machine.memory.bytes > 1000"
set: { tags: [all] }
`

const barclamp = (i: number): string => `kind: barclamp
name: b${i}
version: 1.0.0
attributes:
  type: object
  additionalProperties: false
  properties:
    servers: { type: array, items: { type: string }, default: [ntp.example.com] }
    port: { type: integer, minimum: 1, maximum: 65535, default: ${8000 + i} }
    title: { type: string, default: "\${node.name} at \${node.addresses['admin']} in \${site.domain}" }
roles:
  r${i}:
    jig: script
    run: run.sh
${i === 0 ? '' : `    wants:\n      peers: { from: r${i - 1}, provide: endpoint, many: true }\n`}    provides:
      endpoint: { type: string, value: "\${node.addresses['admin'] + ':${8000 + i}'}" }
`

const node = (name: string): string => `kind: node
name: n${name}
machine: { serial: SN${name} }
os: debian-12
tags: [all]
labels: { rack: r${name.slice(0, 3)} }
attributes:
  b1: { port: ${9000 + (Number(name) % 1000)} }
`

function inventory(name: string, i: number): object {
  const mac = `52:54:00:${[i >> 16, i >> 8, i].map((part) => (part & 255).toString(16).padStart(2, '0')).join(':')}`
  return {
    kind: 'machine',
    id: `m${name}`,
    facts: {
      architecture: 'amd64',
      firmware: { kind: 'uefi' },
      dmi: { vendor: 'Example', product: 'Box', serial: `SN${name}`, uuid: `00000000-0000-0000-0000-0000000${name}`, asset: '' },
      cpu: { model: 'cpu', cores: 32, threads: 64 },
      memory: { bytes: 274877906944 },
      disks: [{ bytes: 960197124096, rotational: false, model: 'Example 960', serial: `D${name}`, wwn: '', bus: 'nvme', path: 'pci-0000:01:00.0' }],
      nics: [{ mac, driver: 'example', bus: '0000:02:00.0', speed: 25000 }],
    },
  }
}

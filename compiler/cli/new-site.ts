interface NewFile {
  readonly text: string
  readonly executable: boolean
}

/** The files of a small site that compiles as it is: one network, two nodes, one role of its own, and CI. */
export function newSite(name: string): ReadonlyMap<string, NewFile> {
  const file = (text: string): NewFile => ({ text, executable: false })
  return new Map([
    ['site.yaml', file(site(name))],
    ['nodes.yaml', file(NODES)],
    ['deployment.yaml', file(DEPLOYMENT)],
    ['barclamps/welcome/barclamp.yaml', file(BARCLAMP)],
    ['barclamps/welcome/run.sh', { text: RUN, executable: true }],
    ['barclamps/welcome/remove.sh', { text: REMOVE, executable: true }],
    ['README.md', file(readme(name))],
    ['.gitignore', file('/rehearsals/\n')],
    ['.gitattributes', file('# Entry by entry, once git knows how: see README.md.\nsite.lock.json merge=crowbar-lock\n')],
    ['.github/workflows/crowbar.yaml', file(WORKFLOW)],
  ])
}

const site = (name: string): string => `# The site, its network, and the admin node that installs everything else.
kind: site
name: ${name}
domain: ${name}.example.com
admin: { network: admin, address: 192.168.124.10 }
barclamps:
  - builtin
  - path: barclamps
---
kind: network
name: admin
conduit: boot-port
subnets:
  - cidr: 192.168.124.0/24
    ranges:
      admin: 192.168.124.10-192.168.124.20
      dhcp: 192.168.124.21-192.168.124.80 # machines that nobody knows yet
      host: 192.168.124.81-192.168.124.160 # nodes
---
kind: conduit
name: boot-port
ports:
  - use: [{ index: 0 }] # the first port, in bus order
---
kind: node
name: admin
admin: true
networks: { admin: { address: 192.168.124.10 } }
---
kind: agent
node: admin
interfaces: { eth0: { network: admin, dhcp: server } } # an interface that is not listed is left alone
`

const NODES = `# The cluster. Each node claims the machine with this MAC address.
kind: node
name: node1
machine: { mac: "52:54:00:00:00:01" }
os: debian-12
---
kind: node
name: node2
machine: { mac: "52:54:00:00:00:02" }
os: debian-12
attributes:
  welcome: { text: "This is node2, and it says so itself." }
`

const DEPLOYMENT = `kind: deployment
name: base
roles:
  welcome: { nodes: ["node[1-2]"] }
`

const BARCLAMP = `kind: barclamp
name: welcome
version: 0.1.0
description: Says something to whoever logs in
attributes:
  type: object
  properties:
    text: { type: string, default: "Welcome to \${node.name}." }
roles:
  welcome:
    jig: script
    run: run.sh
    remove: { run: remove.sh, deletesData: false }
`

const RUN = `#!/bin/sh
# crowbar-get reads a value of the step's document.
set -eu
crowbar-get welcome.text > /etc/motd
`

const REMOVE = `#!/bin/sh
set -eu
rm -f /etc/motd
`

const readme = (name: string): string => `# ${name}

A site repository for Crowbar: what is in here becomes a running cluster.

    crowbar plan              what the cluster is to be
    crowbar diff              what would change, and what that does to the nodes
    crowbar explain node1     where every value comes from
    crowbar rehearse          try it on virtual machines
    crowbar schema            a JSON Schema for editors

Once in every clone, so that git merges site.lock.json entry by entry:

    git config merge.crowbar-lock.driver 'crowbar lock --merge %O %A %B %P'
`

const WORKFLOW = `# Reports what a pull request would change on the real cluster, as of the last run.
on: pull_request
jobs:
  crowbar:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      # The state of the cluster is a branch that a checkout leaves out.
      - run: git fetch origin '+refs/crowbar/*:refs/crowbar/*'
      # Put crowbar into the PATH here: a checkout of it with \`npm ci\` done, and its bin folder.
      - run: crowbar validate --format github
      - run: crowbar diff --format markdown >> "$GITHUB_STEP_SUMMARY" || [ $? -eq 2 ]
`

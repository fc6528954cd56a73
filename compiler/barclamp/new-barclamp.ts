/** The files of a barclamp that does something small and passes its own test; path → text and whether it is run. */
export function newBarclamp(name: string): readonly { readonly path: string; readonly text: string; readonly run: boolean }[] {
  const file = `/etc/${name}.conf`
  return [
    { path: 'barclamp.yaml', run: false, text: `kind: barclamp
name: ${name}
version: 0.1.0
description: What it is for, in a line
attributes:
  type: object
  additionalProperties: false
  properties:
    text: { type: string, default: "\${node.name} of \${site.name}", description: The line that is written to ${file} }
roles:
  ${roleName(name)}:
    description: Writes ${file}
    jig: script
    run: run.sh
    remove: { run: remove.sh, deletesData: false }
    provides:
      file: { type: string, value: ${file} }
` },
    { path: 'run.sh', run: true, text: `#!/bin/sh
# Runs as root on each node, again when a file of the barclamp or an attribute changed: a second run must do no harm.
set -eu
crowbar-get ${name}.text > ${file}.new
mv ${file}.new ${file}
` },
    { path: 'remove.sh', run: true, text: `#!/bin/sh
# Runs when the role is taken off a node.
set -eu
rm -f ${file}
` },
    { path: 'tests/default.yaml', run: false, text: `# What the role is given, without a machine: crowbar barclamp test
name: the text names node and site unless somebody says another
nodes:
  n1: {}
  n2: { attributes: { ${name}: { text: another } } }
roles:
  ${roleName(name)}: { nodes: [n1, n2] }
expect:
  documents:
    ${roleName(name)}@n1: { ${name}: { text: n1 of test } }
    ${roleName(name)}@n2: { ${name}: { text: another } }
  order: [install@n1, ${roleName(name)}@n1]
---
name: a text that is none is refused
roles:
  ${roleName(name)}: { nodes: [n1] }
attributes: { ${name}: { text: 7 } }
expect:
  diagnostics: [ATTRIBUTE_INVALID]
` },
    { path: 'README.md', run: false, text: `# ${name}

What it is for.

| role | does |
|---|---|
| \`${roleName(name)}\` | writes \`${file}\` |

    crowbar barclamp test       # the cases in tests/
    crowbar barclamp lint
    crowbar barclamp package    # .tar.gz, .deb and .rpm

To use it, put the folder below one that the site names with \`barclamps: [builtin, { path: barclamps }]\`, and bind the role:

    kind: deployment
    name: ${roleName(name)}
    roles:
      ${roleName(name)}: { nodes: [node1] }
` },
  ]
}

/** Names of roles have no underscores. */
function roleName(name: string): string {
  return name.replaceAll('_', '-')
}

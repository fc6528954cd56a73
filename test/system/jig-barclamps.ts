import type { Json } from '../../schemas/shape.ts'
import { BEYOND_CFENGINE, OTHERS, STRINGS } from './odd-values.ts'


/** The jigs whose programs Debian has, in the order in which their roles run on a node. */
export const TOOLS = ['ansible', 'cfengine', 'exec', 'puppet', 'script'] as const

/** What a site can say: no key that begins with `$`, no whole number beyond 2^53. Beyond CFEngine is what its jig refuses. */
export const ODD: readonly Json[] = [...STRINGS, ...OTHERS, ...BEYOND_CFENGINE.filter((value) => value !== 1e16 && (value === null || typeof value !== 'object' || !Object.keys(value).some((key) => key.startsWith('$'))))]
/** What a policy can take by its place. */
export const SCALARS = [...STRINGS, ...OTHERS].filter((value): value is string | number | boolean => value !== null && typeof value !== 'object')

const said = (value: Json): string => JSON.stringify(value).replaceAll('${', () => '$${')

/** A barclamp for each kind of value, whose roles hand back what they were given, by every tool. */
export const ODD_FILES: Readonly<Record<string, string>> = {
  'barclamps/odd/barclamp.yaml': [
    'kind: barclamp', 'name: odd', 'version: 1.0.0', 'attributes: { type: object, properties: { values: { type: array } } }', 'roles:',
    ...TOOLS.filter((tool) => tool !== 'cfengine').map((tool) => `  odd-${tool}: { jig: ${tool}, run: ${tool}, provides: { all: { type: any } }${tool === 'exec' ? ', packages: { debian: [python3-minimal] }' : ''} }`), '',
  ].join('\n'),
  'barclamps/odd/script': 'crowbar-get --json odd.values | crowbar-provide all --json\n',
  'barclamps/odd/exec': '#!/usr/bin/python3\nimport json, sys\nprint(json.dumps({"type": "provide", "name": "all", "value": json.load(sys.stdin)["document"]["odd"]["values"]}))\nprint(json.dumps({"type": "end", "outcome": "succeeded"}))\n',
  'barclamps/odd/ansible': '- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.set_stats: { data: "{{ {\'all\': odd[\'values\']} }}" }\n',
  'barclamps/odd/puppet': "$values = lookup('odd::values')\nfile { \"${facts['crowbar_provides']}/all.json\": content => inline_template(\"<%= require 'json'; JSON.generate(@values) %>\") }\n",
  'barclamps/kept/barclamp.yaml': 'kind: barclamp\nname: kept\nversion: 1.0.0\nattributes: { type: object, properties: { values: { type: array } } }\nroles:\n  kept-cfengine: { jig: cfengine, run: policy.cf, provides: { all: { type: string } } }\n',
  'barclamps/kept/policy.cf': 'bundle agent __main__\n{\n  vars:\n    "i" slist => getindices("def.kept[values]");\n  reports:\n    "$(i) $(def.kept[values][$(i)])" report_to_file => "$(def.crowbar_provides)/all";\n}\n',
  'odd.json': said({ kind: 'deployment', name: 'odd', roles: Object.fromEntries([...TOOLS.filter((tool) => tool !== 'cfengine').map((tool) => `odd-${tool}`), 'kept-cfengine'].map((role) => [role, { nodes: ['old', 'present', 'next'] }])), attributes: { odd: { values: ODD }, kept: { values: SCALARS } } }),
}

/** A barclamp whose roles are given a secret, keep it in a file, and then wait until they are told to go on. */
export const HOLD_FILES: Readonly<Record<string, string>> = {
  'barclamps/hold/barclamp.yaml': [
    'kind: barclamp', 'name: hold', 'version: 1.0.0', 'roles:', '  hold-source: { jig: script, run: source.sh, provides: { secret: { type: string, sensitive: true } } }',
    ...TOOLS.map((tool) => `  hold-${tool}: { jig: ${tool}, run: ${tool}, wants: { secret: { from: hold-source, provide: secret } }${tool === 'exec' ? ', packages: { debian: [python3-minimal] }' : ''} }`), '',
  ].join('\n'),
  'barclamps/hold/source.sh': 'od -An -tx1 -N16 /dev/urandom | tr -d " \\n" | crowbar-provide secret --stdin\n',
  'barclamps/hold/hold.sh': '#!/bin/sh\nmkdir -p /var/lib/hold\necho $$ >> /var/lib/hold/$1.starts\nuntil [ -e /var/lib/hold/$1.go ]; do sleep 0.2; done\n',
  'barclamps/hold/script': 'set -eu\numask 077\nmkdir -p /var/lib/hold\ncrowbar-get wants.secret > /var/lib/hold/script\nsh hold.sh script\n',
  'barclamps/hold/exec': '#!/usr/bin/python3\nimport json, os, subprocess, sys\nrequest = json.load(sys.stdin)\nos.makedirs("/var/lib/hold", exist_ok=True)\nopen("/var/lib/hold/exec", "w").write(request["document"]["wants"]["secret"])\nsubprocess.run(["sh", request["content"] + "/hold.sh", "exec"], check=True, stdin=subprocess.DEVNULL)\nprint(json.dumps({"type": "end", "outcome": "succeeded"}))\n',
  'barclamps/hold/ansible': '- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.file: { path: /var/lib/hold, state: directory }\n    - ansible.builtin.copy: { content: "{{ wants.secret }}", dest: /var/lib/hold/ansible }\n    - ansible.builtin.command: { cmd: "sh {{ lookup(\'env\', \'CROWBAR_CONTENT\') }}/hold.sh ansible", stdin: "{{ wants.secret }}" }\n',
  'barclamps/hold/puppet': "file { '/var/lib/hold': ensure => directory }\n-> file { '/var/lib/hold/puppet': content => lookup('wants')['secret'] }\n-> exec { \"/bin/sh ${facts['crowbar_content']}/hold.sh puppet\": timeout => 0 }\n",
  'barclamps/hold/cfengine': 'bundle agent __main__\n{\n  files:\n    "/var/lib/hold/." create => "true";\n    "/var/lib/hold/cfengine" create => "true", edit_line => line("$(def.wants[secret])");\n  commands:\n    "/bin/sh $(def.crowbar_content)/hold.sh cfengine";\n}\nbundle edit_line line(text)\n{\n  insert_lines:\n    "$(text)";\n}\n',
  'hold.yaml': `kind: deployment\nname: hold\nroles:\n  hold-source: { nodes: [old] }\n${TOOLS.map((tool) => `  hold-${tool}: { nodes: [old, present, next] }\n`).join('')}`,
}

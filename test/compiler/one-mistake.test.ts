import { expect, test } from 'vitest'
import { placeOf } from '../../compiler/parse/document.ts'
import { compileTexts, machine, SITE } from './compiling.ts'
import type { Texts } from './compiling.ts'

const B = 'kind: barclamp\nname: b\nversion: 1.0.0\nattributes: { type: object, additionalProperties: false, properties: { port: { type: integer, default: 80 }, name: { type: string } } }\nroles:\n  server: { provides: { url: { type: string, value: "http://${node.name}" }, token: { type: string } } }\n  client: { wants: { url: { from: server, provide: url } } }\n'
const N = 'kind: nodes\nname: "n[1-3]"\nos: debian-12\nmachine: { where: "true" }\n'
const D = 'kind: deployment\nname: d\nroles:\n  server: { nodes: [n1] }\n  client: { nodes: [n2] }\n'
const GOOD: Texts = { 'site.yaml': SITE, 'n.yaml': N, 'd.yaml': D, 'barclamps/b/barclamp.yaml': B }

function edited(path: string, from: string, to: string): Texts {
  const before = GOOD[path] as string
  if (!before.includes(from)) throw new Error(`${path} has no ${from}`)
  return { [path]: before.replace(from, to) }
}

const b = (from: string, to: string) => edited('barclamps/b/barclamp.yaml', from, to)
const s = (from: string, to: string) => edited('site.yaml', from, to)

const CFENGINE: Texts = { 'barclamps/b/barclamp.yaml': B.replace('server: {', 'server: { jig: cfengine, run: run.cf,'), 'barclamps/b/run.cf': '' }

/** What a person may get wrong, the files that have it, the one diagnostic and its fix. */
const MISTAKES: readonly (readonly [string, Texts, string, string])[] = [
  ['unknown vip range', { 'd.yaml': D + 'addresses: { api: { network: admin, range: vips } }\n' }, 'REFERENCE_UNKNOWN d.yaml:6:44', 'Did you mean vip?'],
  ['unknown node range', { 'n.yaml': N + 'networks: { admin: { range: hots } }\n' }, 'REFERENCE_UNKNOWN n.yaml:5:29', 'Did you mean host?'],
  ['no vip range', { 'site.yaml': SITE.replace(', vip: 10.0.0.100-10.0.0.109', ''), 'd.yaml': D + 'addresses: { api: { network: admin } }\n' }, 'ADDRESS_EXHAUSTED d.yaml:6:14', 'Add the range vip to a subnet, name another range, or write the address down.'],
  ['serial twice in csv', { 'n.yaml': 'kind: nodes\ntable: n.csv\nos: debian-12\n', 'n.csv': 'name,machine.serial\nn1,A\nn2,A\nn3,C\n' }, 'MAC_CONFLICT n.csv:3:4', 'Give each node a machine of its own.'],
  ['serial twice in csv header', { 'n.yaml': 'kind: nodes\ntable: n.csv\nos: debian-12\n', 'n.csv': 'name,machine.serial,machine.serial\nn1,A,B\nn2,B,C\nn3,C,D\n' }, 'DUPLICATE_KEY n.csv:1:21', 'Keep one of them.'],
  ['type array in attribute schema', b('type: object, additionalProperties', 'type: array, additionalProperties'), 'BARCLAMP_SCHEMA barclamps/b/barclamp.yaml:4:21', 'Write `type: object`.'],
  ['want on a network that the node lacks', { 'barclamps/b/barclamp.yaml': B.replace('${node.name}', "${node.address('storage')}"), 's.yaml': 'kind: network\nname: storage\nsubnets: [{ cidr: 10.9.0.0/24, ranges: { host: 10.9.0.1-10.9.0.9 } }]\n' }, 'EXPRESSION_FAILED barclamps/b/barclamp.yaml:6:63', 'Add `networks: { storage: {} }` to n1.'],
  ['role network that node lacks', { 'barclamps/b/barclamp.yaml': B.replace('${node.name}', "${node.address('front')}").replace('server: {', 'server: { networks: { front: storage },'), 's.yaml': 'kind: network\nname: storage\nsubnets: [{ cidr: 10.9.0.0/24, ranges: { host: 10.9.0.1-10.9.0.9 } }]\n' }, 'EXPRESSION_FAILED barclamps/b/barclamp.yaml:6:93', 'Add `networks: { storage: {} }` to n1, or map `front` of server to another network in d.'],
  ['agent on non-admin', { 'a.yaml': 'kind: agent\nnode: n1\ninterfaces: { eth0: { network: admin, dhcp: server } }\n' }, 'VALUE_INVALID a.yaml:2:7', 'Name an admin node (adm), or say `admin: true` in the node.'],
  ['overlap across networks', { 's.yaml': 'kind: network\nname: storage\nsubnets: [{ cidr: 10.0.0.128/25 }]\n' }, 'ADDRESS_CONFLICT s.yaml:3:19', 'Give each network addresses of its own.'],
  ['overlap in network', { 's.yaml': 'kind: network\nname: storage\nsubnets: [{ cidr: 10.9.0.0/24 }, { cidr: 10.9.0.128/25 }]\n' }, 'ADDRESS_CONFLICT s.yaml:3:42', 'Give each subnet addresses of its own.'],
  ['retired but pinned', { 'n.yaml': N + '---\nkind: node\nname: p\nos: debian-12\nmachine: { serial: serial-m1 }\n---\nkind: machine\nserial: serial-m1\nstate: retired\n', ...machine('m1') }, 'MACHINE_RETIRED n.yaml:9:10', '`crowbar replace p` names another machine; or take the word `retired` away.'],
  ['timeout 0s', b('server: {', 'server: { timeout: 0s,'), 'VALUE_INVALID barclamps/b/barclamp.yaml:6:22', 'Write a duration such as 30s, 20m, 2h or 1d, longer than nothing.'],
  ['template in label', { 'n.yaml': N + 'labels: { rack: "${node.name}" }\n' }, 'VALUE_INVALID n.yaml:5:17', 'Write its value, or set the label in a rule, where `${machine…}` counts.'],
  ['a node twice in nodes', { 'd.yaml': D.replace('[n1]', '[n1, n1]') }, 'VALUE_INVALID d.yaml:4:25', 'Name n1 once, or the node that was meant.'],
  ['a node twice in nodes via range', { 'd.yaml': D.replace('[n1]', '["n[1-2]", n2]') }, 'VALUE_INVALID d.yaml:4:31', 'Name n2 once, or the node that was meant.'],
  ['$ref broken', b('{ type: integer, default: 80 }', "{ $ref: '#/$defs/nope' }"), 'BARCLAMP_SCHEMA barclamps/b/barclamp.yaml:4:86', 'Describe it below `$defs`, and refer to it as #/$defs/NAME.'],
  ['$ref http', b('{ type: integer, default: 80 }', "{ $ref: 'https://example.com/x.json' }"), 'BARCLAMP_SCHEMA barclamps/b/barclamp.yaml:4:86', 'Copy what it says to `$defs`, and refer to it as #/$defs/NAME.'],
  ['cycle', { 'd.yaml': D + 'attributes: { b: { port: "${attributes.name.size()}", name: "${string(attributes.port)}" } }\n' }, 'ATTRIBUTE_CYCLE d.yaml:6:26', 'Give one of them a value that reads none of the others.'],
  ['range dhcp', { 'n.yaml': N + 'networks: { admin: { range: dhcp } }\n' }, 'ADDRESS_RESERVED n.yaml:5:29', 'Name another range (admin, host, vip).'],
  ['vip range dhcp', { 'd.yaml': D + 'addresses: { api: { network: admin, range: dhcp } }\n' }, 'ADDRESS_RESERVED d.yaml:6:44', 'Name another range (admin, host, vip).'],
  ['capital name', { 'n.yaml': N + '---\nkind: node\nname: Web\nmachine: { serial: x }\nos: debian-12\n' }, 'VALUE_INVALID n.yaml:7:7', 'Write web.'],
  ['kind lock elsewhere', { 'x.yaml': 'kind: lock\nversion: 1\n' }, 'KIND_UNKNOWN x.yaml:1:7', 'Move it there, or take it out; a copy is left alone when .crowbarignore names x.yaml.'],
  ['lock in json elsewhere', { 'x.json': '{ "kind": "lock", "version": 1 }' }, 'KIND_UNKNOWN x.json:1:11', 'Move it there, or take it out; a copy is left alone when .crowbarignore names x.json.'],
  ['missing table', { 'n.yaml': 'kind: nodes\ntable: nn.csv\n' }, 'TABLE_MISSING n.yaml:2:8', 'Name it relative to the folder of this document.'],
  ['constructor network', b('${node.name}', "${network('constructor').name}"), 'EXPRESSION_FAILED barclamps/b/barclamp.yaml:6:63', 'Known: admin.'],
  ['constructor logical', b('${node.name}', "${node.address('constructor')}"), 'EXPRESSION_FAILED barclamps/b/barclamp.yaml:6:63', 'Known: admin.'],
  ['constructor role', b('${node.name}', "${role('constructor').name}"), 'EXPRESSION_FAILED barclamps/b/barclamp.yaml:6:63', 'Known: client, server.'],
  ['role named constructor', { 'd.yaml': D + '  constructor: { nodes: [n1] }\n' }, 'REFERENCE_UNKNOWN d.yaml:6:3', 'Known: client, server.'],
  ['network named constructor', { 'd.yaml': D.replace('nodes: [n2]', 'nodes: [n2], networks: { constructor: toString }') }, 'VALUE_INVALID d.yaml:5:51', 'Write tostring.'],
  ['attribute unknown', { 'd.yaml': D + 'attributes: { b: { prot: 1 } }\n' }, 'ATTRIBUTE_INVALID d.yaml:6:20', 'Did you mean port?'],
  ['attributes that nothing reads', { 'e.yaml': 'kind: deployment\nname: e\nroles: {}\nattributes:\n  b: { prot: 1 }\n' }, 'ATTRIBUTE_UNUSED e.yaml:5:3', 'Bind a role of b, or set them in the deployment that does, or in the site document.'],
  ['half a character', { 'd.yaml': D + 'attributes: { b: { name: "x\\ud83d" } }\n' }, 'YAML_SYNTAX d.yaml:6:26', 'Write the character itself, or `\\U` and eight digits.'],
  ['half a character in a key', { 'd.yaml': D + 'attributes: { b: { "\\ude00": 1 } }\n' }, 'YAML_SYNTAX d.yaml:6:20', 'Write the character itself, or `\\U` and eight digits.'],
  ['a reference of CFEngine', { ...CFENGINE, 'd.yaml': D + 'attributes: { b: { name: $(sys.host) } }\n' }, 'JIG_VALUE d.yaml:6:26', 'Write it without, or let another tool do what the role does.'],
  ['a control character for CFEngine', { ...CFENGINE, 'd.yaml': D + 'attributes: { b: { name: "a\\eb" } }\n' }, 'JIG_VALUE d.yaml:6:26', 'Write it without, or let another tool do what the role does.'],
  ['a number for CFEngine', { ...CFENGINE, 'd.yaml': D + 'attributes: { b: { port: 4294967296 } }\n' }, 'JIG_VALUE d.yaml:6:26', 'Write it without, or let another tool do what the role does.'],
  ['a barclamp named as a variable of Ansible', { 'barclamps/b/barclamp.yaml': B.replace('name: b', 'name: groups').replace('server: {', 'server: { jig: ansible, run: run.yml,'), 'barclamps/b/run.yml': '' }, 'JIG_VALUE barclamps/b/barclamp.yaml:2:7', 'Give the barclamp another name.'],
  ['a name that the schema does not allow', { ...b('{ type: string } }', "{ type: object, propertyNames: { pattern: '^[a-z]' } } }"), 'd.yaml': D + 'attributes: { b: { name: { ok: 1, Not: 2 } } }\n' }, 'ATTRIBUTE_INVALID d.yaml:6:35', 'Write text that matches ^[a-z].'],
  ['tab indent', { 'd.yaml': 'kind: deployment\nname: d\nroles:\n\tserver: { nodes: [n1] }\n' }, 'YAML_TAB d.yaml:4:1', 'Replace the tabs by spaces.'],
  ['missing colon', { 'd.yaml': 'kind: deployment\nname d\nroles:\n  server: { nodes: [n1] }\n' }, 'YAML_SYNTAX d.yaml:3:6', 'Write `key: value`.'],
  ['bad indent', { 'd.yaml': 'kind: deployment\nname: d\nroles:\n  server: { nodes: [n1] }\n client: { nodes: [n2] }\n' }, 'YAML_INDENT d.yaml:5:2', 'Give all keys of one mapping, and every `-` of one list, the same indentation; quote a value that holds `: `.'],
  ['unclosed quote', { 'n.yaml': 'kind: nodes\nname: "n[1-3]\nos: debian-12\n' }, 'YAML_INDENT n.yaml:3:1', 'Close the quote or bracket that is still open above, or indent the line.'],
  ['unquoted range', { 'n.yaml': 'kind: nodes\nname: n[1-3\nos: debian-12\nmachine: { where: "true" }\n' }, 'NAME_RANGE n.yaml:2:7', 'Write it like web-[01-12].'],
  ['range backwards', { 'n.yaml': N.replace('n[1-3]', 'n[3-1]') }, 'NAME_RANGE n.yaml:2:7', 'Write it like web-[01-12].'],
  ['unquoted template', { 'd.yaml': D + 'attributes: { b: { name: ${node.name} } }\n' }, 'YAML_SYNTAX d.yaml:6:26', 'Put it in double quotes.'],
  ['yes for admin', s('admin: true', 'admin: yes'), 'VALUE_INVALID site.yaml:16:8', 'Write true or false.'],
  ['mac without quotes sexagesimal', { 'n.yaml': N + '---\nkind: node\nname: p\nmachine: { mac: 52-54-00-00-00-01 }\nos: debian-12\n' }, 'VALUE_INVALID n.yaml:8:17', 'Write a MAC address such as 52:54:00:12:4d:01.'],
  ['serial number not text', { 'n.yaml': N + '---\nkind: node\nname: p\nmachine: { serial: 12345 }\nos: debian-12\n' }, 'VALUE_INVALID n.yaml:8:20', 'Put it in quotes: "12345".'],
  ['os typo', { 'n.yaml': N.replace('debian-12', 'debian12') }, 'REFERENCE_UNKNOWN n.yaml:3:5', 'Did you mean debian-12?'],
  ['os version number', { 'o.yaml': 'kind: os\nname: x\nfamily: debian\nversion: 12\narchitecture: amd64\ninstall: image\n' }, 'VALUE_INVALID o.yaml:4:10', 'Put it in quotes: "12".'],
  ['arch x86_64', { 'o.yaml': 'kind: os\nname: x\nfamily: debian\nversion: "12"\narchitecture: x86_64\ninstall: image\n' }, 'VALUE_INVALID o.yaml:5:15', 'Write one of amd64, arm64.'],
  ['no machine', { 'n.yaml': 'kind: nodes\nname: "n[1-3]"\nos: debian-12\n' }, 'CLAIM_UNBOUNDED n.yaml:2:7', 'Add `machine` with a serial, mac, uuid or asset, or with `tags` or `where`.'],
  ['machine.where not bool', { 'n.yaml': N.replace('"true"', '"machine.memory.bytes"') }, 'EXPRESSION_INVALID n.yaml:4:20', 'Compare it with something, such as `… > 0`.'],
  ['where typo field', { 'n.yaml': N.replace('"true"', '"machine.memroy.bytes > 1"') }, 'EXPRESSION_INVALID n.yaml:4:28', 'Did you mean memory?'],
  ['where single =', { 'n.yaml': N.replace('"true"', '"machine.dmi.vendor = \'Dell\'"') }, 'EXPRESSION_INVALID n.yaml:4:39', 'Write ==.'],
  ['where python and', { 'd.yaml': D.replace('nodes: [n1]', 'where: "\'a\' in node.tags and true"') }, 'EXPRESSION_INVALID d.yaml:4:38', 'Write && for and.'],
  ['where uses machine in role', { 'd.yaml': D.replace('nodes: [n1]', 'where: "machine.memory.bytes > 1"') }, 'EXPRESSION_INVALID d.yaml:4:21', 'Read node.'],
  ['where template', { 'd.yaml': D.replace('nodes: [n1]', 'where: "${true}"') }, 'EXPRESSION_INVALID d.yaml:4:21', 'Write the expression without ${ and }.'],
  ['where tag list compare', { 'd.yaml': D.replace('nodes: [n1]', 'where: "node.tags == \'a\'"') }, 'EXPRESSION_INVALID d.yaml:4:21', 'Compare values of one type; `x in list` asks whether a list holds something.'],
  ['where int vs string', { 'n.yaml': N.replace('"true"', '"machine.memory.bytes > \'1GB\'"') }, 'EXPRESSION_INVALID n.yaml:4:41', 'Compare values of one type: int(), double() and string() convert.'],
  ['undeclared read of other barclamp', { 'd.yaml': D + 'attributes: { b: { name: "${ntp.servers}" } }\n' }, 'EXPRESSION_INVALID d.yaml:6:29', 'Read one of attributes, deployment, node, site, wants.'],
  ['undeclared read env', { 'd.yaml': D + 'attributes: { b: { name: "${env.HOME}" } }\n' }, 'EXPRESSION_INVALID d.yaml:6:29', 'Read one of attributes, deployment, node, site, wants.'],
  ['node.adress typo', { 'd.yaml': D + 'attributes: { b: { name: "${node.adress(\'admin\')}" } }\n' }, 'EXPRESSION_INVALID d.yaml:6:34', 'Did you mean address?'],
  ['site attr typo', { 'd.yaml': D + 'attributes: { b: { name: "${site.nme}" } }\n' }, 'EXPRESSION_INVALID d.yaml:6:34', 'Did you mean name?'],
  ['attributes typo', { 'd.yaml': D + 'attributes: { b: { name: "${attributes.prot}" } }\n' }, 'EXPRESSION_FAILED d.yaml:6:40', 'Did you mean port?'],
  ['unclosed template', { 'd.yaml': D + 'attributes: { b: { name: "${node.name" } }\n' }, 'EXPRESSION_INVALID d.yaml:6:27', 'Close it with }, or write $${ for the text itself.'],
  ['empty template', { 'd.yaml': D + 'attributes: { b: { name: "${}" } }\n' }, 'EXPRESSION_INVALID d.yaml:6:29', 'Write what is to stand here, such as ${node.name}.'],
  ['deployment name missing', { 'd.yaml': D.replace('name: d\n', '') }, 'FIELD_MISSING d.yaml:1:7', 'Add `name`: a name: lower-case letters, digits and inner hyphens, at most 63.'],
  ['roles list', { 'd.yaml': 'kind: deployment\nname: d\nroles: [server]\n' }, 'VALUE_INVALID d.yaml:3:8', 'Write a mapping.'],
  ['role bare', { 'd.yaml': 'kind: deployment\nname: d\nroles:\n  server: [n1]\n  client: { nodes: [n2] }\n' }, 'VALUE_INVALID d.yaml:4:11', 'Write a mapping with nodes, where, count, networks, external, attributes.'],
  ['nodes string', { 'd.yaml': D.replace('[n1]', 'n1') }, 'VALUE_INVALID d.yaml:4:20', 'Write a list: [n1].'],
  ['role null', { 'd.yaml': 'kind: deployment\nname: d\nroles:\n  server:\n' }, 'VALUE_INVALID d.yaml:4:3', 'Write a value, or remove the key.'],
  ['empty after', { 'd.yaml': D + 'after: base\n' }, 'VALUE_INVALID d.yaml:6:8', 'Write a list: [base].'],
  ['after unknown', { 'd.yaml': D + 'after: [bse]\n' }, 'REFERENCE_UNKNOWN d.yaml:6:9', 'Known: d.'],
  ['after self', { 'd.yaml': D + 'after: [d]\n' }, 'CYCLE d.yaml:6:9', 'Take one of these `after` away.'],
  ['attribute at top without barclamp', { 'd.yaml': D + 'attributes: { port: 80 }\n' }, 'REFERENCE_UNKNOWN d.yaml:6:15', 'Write `b: { port: … }`.'],
  ['attribute wrong type', { 'd.yaml': D + 'attributes: { b: { port: "80" } }\n' }, 'ATTRIBUTE_INVALID d.yaml:6:26', 'Write 80 without quotes.'],
  ['attribute wrong type site', s('barclamps: [', 'attributes: { b: { port: x } }\nbarclamps: ['), 'ATTRIBUTE_INVALID site.yaml:5:26', 'Write a whole number.'],
  ['attribute operator typo', { 'd.yaml': D + 'attributes: { b: { name: { $apend: [x] } } }\n' }, 'ATTRIBUTE_OPERATOR d.yaml:6:28', 'Did you mean $append?'],
  ['append to scalar', { 'd.yaml': D + 'attributes: { b: { port: { $append: [x] } } }\n' }, 'ATTRIBUTE_OPERATOR d.yaml:6:28', 'Write the value itself.'],
  ['default violates', b('default: 80', 'default: eighty'), 'ATTRIBUTE_INVALID barclamps/b/barclamp.yaml:4:104', 'Write a whole number.'],
  ['role attr for foreign barclamp', { 'd.yaml': D.replace('nodes: [n1]', 'nodes: [n1], attributes: { c: { x: 1 } }') }, 'REFERENCE_UNKNOWN d.yaml:4:40', 'Did you mean b?'],
  ['want provide missing', b('from: server, provide: url', 'from: server'), 'WANT_INVALID barclamps/b/barclamp.yaml:7:27', 'Add `provide`, the name of the value.'],
  ['want nothing', b('{ from: server, provide: url }', '{}'), 'WANT_INVALID barclamps/b/barclamp.yaml:7:27', 'Say exactly one of `from`, `secret` and `attribute`.'],
  ['want from unknown role', b('from: server', 'from: sever'), 'REFERENCE_UNKNOWN barclamps/b/barclamp.yaml:7:35', 'Did you mean server?'],
  ['want string', b('{ url: { from: server, provide: url } }', '{ url: server }'), 'VALUE_INVALID barclamps/b/barclamp.yaml:7:27', 'Write a mapping with from, provide, deployment, many, only, optional, secret, generate, previous, attribute.'],
  ['provide type wrong', b('type: string, value', 'type: str, value'), 'VALUE_INVALID barclamps/b/barclamp.yaml:6:38', 'Did you mean `string`?'],
  ['value type mismatch', b('type: string, value: "http://${node.name}"', 'type: integer, value: "http://${node.name}"'), 'WANT_TYPE barclamps/b/barclamp.yaml:6:54', 'Declare another `type`, or give it a value that is of type integer.'],
  ['requires unknown', b('client: {', 'client: { requires: [foo],'), 'REFERENCE_UNKNOWN barclamps/b/barclamp.yaml:7:24', 'Known: client, server.'],
  ['requires not bound', b('client: {', 'client: { requires: [server],'), 'REQUIREMENT_UNMET d.yaml:5:21', 'Bind server in the deployment d, or let that come `after` a deployment which does.'],
  ['conflicts', { ...b('client: {', 'client: { conflicts: [server],'), 'd.yaml': D.replace('[n2]', '[n1]') }, 'ROLE_CONFLICT d.yaml:5:21', 'Take one of them off n1.'],
  ['flag typo', b('client: {', 'client: { flags: [clustr],'), 'VALUE_INVALID barclamps/b/barclamp.yaml:7:21', 'Did you mean `cluster`?'],
  ['jig without run', b('client: {', 'client: { jig: script,'), 'ENTRY_MISSING barclamps/b/barclamp.yaml:7:3', 'Add `run` with a file of the barclamp, or take `jig: noop`.'],
  ['run file missing', b('client: {', 'client: { jig: script, run: x.sh,'), 'ENTRY_MISSING barclamps/b/barclamp.yaml:7:31', 'Add barclamps/b/x.sh, or name a file that is there.'],
  ['onChange typo', b('client: {', 'client: { onChange: { port: restrat },'), 'VALUE_INVALID barclamps/b/barclamp.yaml:7:31', 'Did you mean `restart`?'],
  ['onChange unknown attribute', b('client: {', 'client: { onChange: { prot: restart },'), 'REFERENCE_UNKNOWN barclamps/b/barclamp.yaml:7:25', 'Did you mean port?'],
  ['count max', { ...b('client: {', 'client: { count: { max: 1 },'), 'd.yaml': D.replace('[n2]', '[n2, n3]') }, 'ROLE_COUNT d.yaml:5:3', 'Bind it to 1 at most, or raise `count.max`.'],
  ['count min', b('client: {', 'client: { count: { min: 3 },'), 'ROLE_COUNT d.yaml:5:3', 'Bind it to 2 more.'],
  ['count odd', { ...b('client: {', 'client: { count: { odd: true },'), 'd.yaml': D.replace('[n2]', '[n2, n3]') }, 'ROLE_COUNT d.yaml:5:3', 'Bind it to one more, or to one less.'],
  ['os limit', b('client: {', 'client: { os: [rocky-9],'), 'ROLE_OS d.yaml:5:21', 'Bind it to nodes with rocky-9.'],
  ['count min>max', { 'd.yaml': D.replace('nodes: [n1]', 'nodes: [n1], count: { min: 3, max: 1 }') }, 'VALUE_INVALID d.yaml:4:33', 'Let `min` be `max` at most.'],
  ['admin address outside', s('address: 10.0.0.2 }', 'address: 10.0.1.2 }'), 'ADDRESS_OUTSIDE_RANGE site.yaml:4:35', 'Take an address of 10.0.0.0/24.'],
  ['admin network typo', s('admin: { network: admin', 'admin: { network: admn'), 'REFERENCE_UNKNOWN site.yaml:4:19', 'Did you mean admin?'],
  ['cidr host bits', s('10.0.0.0/24', '10.0.0.5/24'), 'ADDRESS_INVALID site.yaml:10:11', 'Write the first address of the subnet and its prefix length, such as 192.168.124.0/24.'],
  ['cidr /33', s('10.0.0.0/24', '10.0.0.0/33'), 'ADDRESS_INVALID site.yaml:10:11', 'Write the first address of the subnet and its prefix length, such as 192.168.124.0/24.'],
  ['range spaces', s('10.0.0.50-10.0.0.99', '10.0.0.50 - 10.0.0.99'), 'VALUE_INVALID site.yaml:12:74', 'Write a range of addresses such as 192.168.124.81-192.168.124.160.'],
  ['range short', s('10.0.0.50-10.0.0.99', '10.0.0.50-99'), 'ADDRESS_INVALID site.yaml:12:74', 'Write first-last, such as 192.168.124.81-192.168.124.160.'],
  ['range reversed', s('10.0.0.50-10.0.0.99', '10.0.0.99-10.0.0.50'), 'ADDRESS_INVALID site.yaml:12:74', 'Write first-last, such as 192.168.124.81-192.168.124.160.'],
  ['too few addresses', s('10.0.0.50-10.0.0.99', '10.0.0.50-10.0.0.51'), 'ADDRESS_EXHAUSTED n.yaml:2:7', 'Make the range larger, or add a subnet.'],
  ['vlan 5000', s('name: admin\n', 'name: admin\nvlan: 5000\n'), 'VALUE_INVALID site.yaml:9:7', 'Write a whole number from 0 to 4094.'],
  ['conduit unknown', s('name: admin\n', 'name: admin\nconduit: prot\n'), 'REFERENCE_UNKNOWN site.yaml:9:10', 'There is none to name: add one.'],
  ['node joins unknown network', { 'n.yaml': N + 'networks: { storge: {} }\n' }, 'REFERENCE_UNKNOWN n.yaml:5:13', 'Known: admin.'],
  ['node network as list', { 'n.yaml': N + 'networks: [admin]\n' }, 'VALUE_INVALID n.yaml:5:11', 'Write a mapping.'],
  ['hardware unknown', { 'n.yaml': N + 'hardware: big\n' }, 'REFERENCE_UNKNOWN n.yaml:5:11', 'There is none to name: add one.'],
  ['layout on unknown', { 'h.yaml': 'kind: hardware\nname: h\ndisks: { system: { choose: {}, onInstall: wipe } }\nlayout: [{ on: sytem, mount: /, size: rest }]\n' }, 'REFERENCE_UNKNOWN h.yaml:4:16', 'Did you mean system?'],
  ['layout size', { 'h.yaml': 'kind: hardware\nname: h\ndisks: { system: { choose: {}, onInstall: wipe } }\nlayout: [{ on: system, mount: /, size: 20G }]\n' }, 'VALUE_INVALID h.yaml:4:40', 'Write a size such as 512MiB, 20GiB, 50% or rest.'],
  ['disk bus typo', { 'h.yaml': 'kind: hardware\nname: h\ndisks: { system: { choose: { bus: nvm }, onInstall: wipe } }\n' }, 'VALUE_INVALID h.yaml:3:35', 'Did you mean `nvme`?'],
  ['rule when type', { 'r.yaml': 'kind: rule\nname: r\nwhen: "machine.disks.size()"\nset: { os: debian-12 }\n' }, 'EXPRESSION_INVALID r.yaml:3:8', 'Compare it with something, such as `… > 0`.'],
  ['rule label expr', { 'r.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { labels: { rack: "${machine.nics[0].lldp.sytem}" } }\n', ...machine('m1') }, 'EXPRESSION_INVALID r.yaml:4:48', 'Did you mean system?'],
  ['rule set typo', { 'r.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { oss: debian-12 }\n' }, 'FIELD_UNKNOWN r.yaml:4:8', 'Did you mean `os`?'],
  ['two docs same name', { 'e.yaml': D }, 'DUPLICATE_DOCUMENT e.yaml:2:7', 'Rename one of them, or make it one document.'],
  ['kind capital', { 'e.yaml': 'kind: Deployment\nname: e\nroles: {}\n' }, 'KIND_UNKNOWN e.yaml:1:7', 'Did you mean `deployment`?'],
  ['kind missing', { 'e.yaml': 'name: e\nroles: {}\n' }, 'KIND_MISSING e.yaml:1:1', 'Begin it with `kind: …`, or name e.yaml in .crowbarignore when it is for another program.'],
  ['barclamp path typo', s('{ path: barclamps }', '{ path: barclmps }'), 'REFERENCE_UNKNOWN site.yaml:5:30', 'Name a folder of this repository that has one, or take the line away.'],
  ['barclamp version', b('version: 1.0.0', 'version: 1.0'), 'VALUE_INVALID barclamps/b/barclamp.yaml:3:10', 'Write a version of three numbers such as 1.2.0.'],
  ['barclamp without builtin', s('[builtin, { path: barclamps }]', '[{ path: barclamps }]'), 'REFERENCE_UNKNOWN n.yaml:3:5', 'Add `builtin` to `barclamps` in the site document, or a document of that name.'],
  ['age recipient', s('barclamps: [', 'recipients: [ssh-ed25519 AAA]\nbarclamps: ['), 'VALUE_INVALID site.yaml:5:14', 'Write an age recipient, which begins with age1.'],
  ['automation typo', s('barclamps: [', 'automation: { apply: auto }\nbarclamps: ['), 'VALUE_INVALID site.yaml:5:22', 'Did you mean `automatic`?'],
  ['policy type', { 'p.yaml': 'kind: policy\nname: p\nlevel: deny\ncheck: "changes.size()"\nmessage: x\n' }, 'EXPRESSION_INVALID p.yaml:4:9', 'Compare it with something, such as `… > 0`.'],
  ['policy field', { 'p.yaml': 'kind: policy\nname: p\nlevel: deny\ncheck: "!changes.exists(c, c.consequenc == \'wipe\')"\nmessage: x\n' }, 'EXPRESSION_INVALID p.yaml:4:30', 'Did you mean consequence?'],
  ['policy level', { 'p.yaml': 'kind: policy\nname: p\nlevel: error\ncheck: "true"\nmessage: x\n' }, 'VALUE_INVALID p.yaml:3:8', 'Write one of advise, warn, deny.'],
  ['agent dhcp typo', { 'a.yaml': 'kind: agent\nnode: adm\ninterfaces: { eth0: { network: admin, dhcp: on } }\n' }, 'VALUE_INVALID a.yaml:3:45', 'Write one of server, proxy, listen, off.'],
  ['merge key', { 'd.yaml': 'x: &x { nodes: [n1] }\nkind: deployment\nname: d\nroles:\n  server: { <<: *x }\n' }, 'YAML_MERGE_KEY d.yaml:5:13', 'Write the keys out, or say them once in a lower layer: site, deployment or nodes.'],
  ['regex catastrophic', { 'n.yaml': N.replace('"true"', '"machine.dmi.product.matches(\'(a+)+$\')"') }, 'YAML_INDENT n.yaml:5:1', 'Close the quote or bracket that is still open above, or indent the line.'],
  ['regex invalid', { 'n.yaml': N.replace('"true"', '"machine.dmi.product.matches(\'(a\')"') }, 'EXPRESSION_INVALID n.yaml:4:48', 'Patterns are those of RE2: no back-references, no look-around.'],
  ['regex backreference', { 'n.yaml': N.replace('"true"', "\"machine.dmi.product.matches('(a)\\\\\\\\1')\"") }, 'EXPRESSION_INVALID n.yaml:4:48', 'Patterns are those of RE2: no back-references, no look-around.'],
  ['two nodes pins and explicit addresses', { 'n.yaml': N + '---\nkind: node\nname: n1\nnetworks: { admin: { address: 10.0.0.60 } }\n---\nkind: node\nname: n2\nnetworks: { admin: { address: 10.0.0.60 } }\n' }, 'ADDRESS_CONFLICT n.yaml:12:31', 'Give one of them another address.'],
  ['node refine typo makes new node', { 'n.yaml': N + '---\nkind: node\nname: n11\nattributes: { b: { port: 1 } }\n' }, 'CLAIM_UNBOUNDED n.yaml:7:7', 'Add `machine` with a serial, mac, uuid or asset, or with `tags` or `where`.'],
  ['nodes range address for many', { 'n.yaml': N + 'networks: { admin: { address: 10.0.0.60 } }\n' }, 'ADDRESS_CONFLICT n.yaml:5:31', 'Give one of them another address.'],
  ['deferred in where', { 'd.yaml': D + 'attributes: { b: { port: "${wants.token}" } }\n' }, 'EXPRESSION_INVALID d.yaml:6:29', 'Add it to `wants` of client.'],
  ['vip explicit outside', { 'd.yaml': D + 'addresses: { api: { network: admin, address: 10.1.0.1 } }\n' }, 'ADDRESS_OUTSIDE_RANGE d.yaml:6:46', 'Take an address of 10.0.0.0/24, or leave it out so that one is given.'],
  ['vip network typo', { 'd.yaml': D + 'addresses: { api: { network: amdin } }\n' }, 'REFERENCE_UNKNOWN d.yaml:6:30', 'Did you mean admin?'],
  ['format clause', { 'd.yaml': D + "attributes: { b: { name: \"${'%05d'.format([1])}\" } }\n" }, 'EXPRESSION_FAILED d.yaml:6:29', 'Write a clause such as %s, %d or %.2f for each argument, and %% for a percent sign.'],
  ['division by zero', { 'd.yaml': D + 'attributes: { b: { port: "${1 / (size(node.tags))}" } }\n' }, 'EXPRESSION_FAILED d.yaml:6:29', 'Ask first whether it is 0.'],
  ['deployment.address typo', { 'd.yaml': D + 'addresses: { api: { network: admin } }\nattributes: { b: { name: "${deployment.address(\'apo\')}" } }\n' }, 'EXPRESSION_FAILED d.yaml:7:29', 'Did you mean api?'],
]

test('nothing is wrong with the site that the mistakes are made in', () => {
  expect(compileTexts(GOOD).diagnostics).toEqual([])
})

test.each(MISTAKES)('%s', (_, files, place, fix) => {
  expect(compileTexts({ ...GOOD, ...files }).diagnostics.map(({ code, range, fix: said }) => [`${code} ${range === undefined ? '' : placeOf(range)}`, said])).toEqual([[place, fix]])
})

test('a chain of three thousand deployments compiles', () => {
  const chain = Array.from({ length: 3000 }, (_, i) => `kind: deployment\nname: c${i}\n${i === 0 ? '' : `after: [c${i - 1}]\n`}roles: { server: { nodes: [n1] } }\n`).join('---\n')
  expect(compileTexts({ ...GOOD, 'chain.yaml': chain }).diagnostics).toEqual([])
})

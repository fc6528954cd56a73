import { ohai, MACHINES } from './machines.ts'

type Texts = Readonly<Record<string, string>>
const json = (value: unknown): string => JSON.stringify(value, null, 2)
const ENVIRONMENTS = ['_default', 'production', 'staging-eu']
const ROLES = ['base', 'web_server', 'db', 'Mon-itoring']

/** Forty-four Chef repositories of different makes. */
export const CHEF: Readonly<Record<string, Texts>> = Object.fromEntries(Array.from({ length: 44 }, (_, i): [string, Texts] => {
  const machine = MACHINES[i % MACHINES.length] ?? MACHINES[0]
  const environment = ENVIRONMENTS[i % 3] ?? ''
  const role = ROLES[i % 4] ?? ''
  const node = {
    name: `n${i}.example.com`, chef_environment: environment, json_class: 'Chef::Node', chef_type: 'node', ...(i % 5 === 0 ? { policy_name: 'web', policy_group: 'prod' } : {}),
    automatic: i % 2 === 0 && machine !== undefined ? ohai(machine) : {}, default: i % 3 === 0 ? { app: { port: 1, deep: { a: i } } } : {}, normal: { tags: i % 2 === 0 ? ['x'] : [], app: { name: `ü ${i} \${x}`, list: [i, { k: null }] } }, override: i % 4 === 0 ? { app: { port: 9000 + i } } : {},
    run_list: [`role[${role}]`, 'recipe[ntp]', `recipe[app::${i % 2 === 0 ? 'server@1.2.0' : 'client'}]`, ...(i % 7 === 0 ? ['plain::recipe'] : [])],
  }
  return [`repository ${i}`, {
    [`nodes/n${i}.json`]: json(node),
    [`roles/${role}.json`]: json({ name: role, description: i % 2 === 0 ? `Role ${role}` : '', json_class: 'Chef::Role', chef_type: 'role', default_attributes: { app: { port: 80, workers: i } }, override_attributes: i % 3 === 1 ? { app: { workers: 99 } } : {}, run_list: i % 2 === 0 ? ['role[common]'] : [], env_run_lists: {} }),
    ...(i % 2 === 0 ? { 'roles/common.json': json({ name: 'common', json_class: 'Chef::Role', default_attributes: { common: true, app: { port: 8 } }, override_attributes: {}, run_list: ['recipe[common]'] }) } : {}),
    ...(environment === '_default' ? {} : { [`environments/${environment}.json`]: json({ name: environment, description: '', cookbook_versions: { ntp: '= 1.2.3' }, json_class: 'Chef::Environment', chef_type: 'environment', default_attributes: { dns: ['10.0.0.2'] }, override_attributes: { app: { env: environment } } }) }),
    ...(i % 3 === 0 ? { 'data_bags/users/ann.json': json({ id: 'ann', uid: 1000 + i, keys: ['ssh-ed25519 AAAA'] }), 'data_bags/secrets/db.json': json({ id: 'db', password: { encrypted_data: 'AAAA\n', iv: 'BBBB', auth_tag: 'CCCC', version: 3, cipher: 'aes-256-gcm' } }) } : {}),
    ...(i % 11 === 0 ? { 'roles/x.rb': 'name "x"\n', 'cookbooks.json': json({ what: 'is this' }) } : {}),
  }]
}))

/** Forty-four Salt trees of different makes. */
export const SALT: Readonly<Record<string, Texts>> = Object.fromEntries(Array.from({ length: 44 }, (_, i): [string, Texts] => {
  const minions = Array.from({ length: 1 + (i % 4) }, (__, j) => `${j % 2 === 0 ? 'web' : 'db'}${j}.example.com`)
  return [`tree ${i}`, {
    'pillar/top.sls': `base:\n  '*':\n    - common\n  'web*.example.com':\n    - web\n${minions.map((id) => `  ${id}:\n    - nodes.${(id.split('.')[0] ?? '')}\n`).join('')}${i % 3 === 0 ? "  'roles:db':\n    - match: grain\n    - db\n" : ''}${i % 5 === 0 ? "  'web* and G@os:Debian':\n    - match: compound\n    - web\n" : ''}`,
    'pillar/common.sls': `# all\nntp: {servers: [a, b]}\nmode: 0644\nyes_no: yes\napp: {port: 80, deep: {x: ${i}}}\n`,
    'pillar/web.sls': 'include:\n  - base.users\napp: {port: 8080}\ntext: |\n  two\n  lines ünd ${more}\n',
    'pillar/base/users.sls': 'users: &u {ann: {uid: 1}}\nmore: {<<: *u, bob: {uid: 2}}\napp: {port: 1}\n',
    'pillar/db/init.sls': i % 4 === 0 ? "#!jinja|yaml\npw: {{ salt['x']() }}\n" : 'db: {size: 5}\n',
    ...Object.fromEntries(minions.map((id, j) => [`pillar/nodes/${(id.split('.')[0] ?? '')}.sls`, i % 2 === 0 ? `#!json\n{"own": ${j}, "t": "{{ kept }}"}\n` : `own: ${j}\n`])),
    roster: minions.map((id, j) => `${id}:\n  host: 10.0.0.${60 + j}\n  user: root\n  sudo: True\n${i % 6 === 0 ? '  passwd: hunter2\n' : ''}`).join(''),
    ...(i % 2 === 0 ? { 'grains.json': json(Object.fromEntries(minions.map((id, j) => [id, { id, os: 'Debian', roles: [j % 2 === 0 ? 'web' : 'db'], serialnumber: `S${i}${j}`, uuid: '', mem_total: 2000, ip4_interfaces: { lo: ['127.0.0.1'] } }]))) } : { [`grains/${minions[0]}`]: 'roles: [web]\nuuid: 4C4C4544-0010-3510-8054-B1004C4D5932\n' }),
    ...(i % 3 === 1 ? { 'pillar.json': json({ [minions[0] ?? '']: { printed: { by: 'salt' } } }), 'local.json': json({ local: { id: 'me', a: 1 } }) } : {}),
  }]
}))

/** Inventories by what is nasty about them: path → text. Ansible reads all of them without complaint. */
export const NASTY: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'INI values are Python literals, or else text': {
    hosts: `lone
[a]
n1 i=1 neg=-5 plus=+5 f=1.50 e=1e3 dot=.5 hex=0x1f oct=0o17 bin=0b101 under=1_000 zero=00 mode=0644 big=123abc ver=1.2.3.4
n2 t=True f=False n=None lower=true no=no quoted="a b" single='c d' inner="'str'" list="[1, 'two', None]" map="{'a': 1, 'b': [True]}" tuple="(1, 2)" bare=1,2 paren="(1)"
n3 hash=a#b spaced="x # y" esc=a\\ b path="C:\\\\x" empty= eq=a=b=c url=http://h:80/?a=b json='{"a": 1, "b": "c"}' bad='{"a": true}'
n4 uni=äöü key.with.dot=1 raw="r'a\\n'" esc2="'a\\\\n\\\\u00e9'" cat="'a' 'b'" trip="'''x'''"
n5 "spaced key=1" half="'open" close="x]" comma="1," emptylist=[] emptymap={}
[a:vars]
plain = some text # not a comment
comment = 1 # a comment
quoted = "kept"
nested = {'x': {'y': [1, 2, {'z': None}]}}
minus = - 5
list=[1,
jinja = {{ other }}
b = b'bytes'
`,
  },
  'ranges, ports and addresses': {
    hosts: `h[1:3] p=1
z[01:10:3].example.com:2222
l[a:e:2]x
m[1:2]-[a:b]
[v6]
[::1]:2022
fe80::1
10.0.0.[5:7]:99
[w]
h[:2]
n_1:80 ansible_port=81
n_1:82
H[008:010]
`,
  },
  'children, depth, priority and names decide who wins': {
    hosts: `[leaf]
x
y
[other]
x
[mid:children]
leaf
[top:children]
mid
[zz:children]
other
[all:vars]
v=all
w=all
[top:vars]
v=top
t=top
[mid:vars]
v=mid
[leaf:vars]
v=leaf
p=leaf
[other:vars]
v=other
p=other
[zz:vars]
q=zz
[prio]
x
y
[prio:vars]
ansible_group_priority=10
p=prio
v=prio
[ungrouped]
u1
[ungrouped:vars]
un=1
[all]
a1 own=1
`,
    'group_vars/all.yml': 'v: file-all\nonly: all\nm: {a: 1, b: 2}\n',
    'group_vars/leaf/a.yml': 'p: file-leaf\nm: {c: 3}\n',
    'group_vars/leaf/b.yaml': '# nothing\n',
    'group_vars/zz.json': '{"q": "file-zz", "n": null}\n',
    'host_vars/x': 'own: [1, 2]\np: host\n',
    'host_vars/a1.yml': '---\nown: 2\n',
  },
  'YAML 1.1, merge keys, templates and what is unsafe': {
    'hosts.yml': `all:
  vars: {y1: no, o: 010, hex: 0x1F, sexa: 1:30, under: 1_000, f: 1.5, e: 1e3, ef: 1.0e+3, date: "2020-01-01", n: ~, empty: , t: on, y: y, s: "yes", dup: 1}
  hosts:
    h1:
    h2: {a: &a {x: 1, y: 2}, b: {<<: *a, y: 3}, c: {<<: [*a, {q: 1}], z: 4}, l: [*a, *a]}
    "h[3:4]:2200": {r: 1}
  children:
    web:
      hosts: h1
      vars:
        jinja: "{{ y }}"
        raw: !unsafe "{{ no }}"
        raws: !unsafe [ "{{ no }}", 1, two ]
        rawer: !unsafe { inside: !unsafe [ "{{ no }}" ] }
        day: !!timestamp 2001-02-03
        text: |
          two
          lines
        folded: >-
          a
          b
        "key with space": 1
        ünïcödé: "🐧"
        deep: {a: [{b: {c: [[]]}}]}
      children:
        inner: {hosts: {h2: {over: host}, h9: }, vars: {over: group}}
        none:
    strings: {children: web2}
`,
    'extra.yaml': 'web2: {hosts: {h1: {second: 2}}}\nall: {vars: {f: 2.5}}\n',
  },
  'brackets and quotes that are closed at the margin, keys that are no text, and YAML without an extension': {
    inventory: `# comes before INI
web:
  hosts:
    w1: {port: 1}
  vars:
    far: 1.0e+19
    yes: {on: a, Null: b, 010: c, 0x1F: d, 1_0: e, "on ": f}
`,
    'group_vars/web.yml': `ports: [
  80,
  443, # tls
]
deep:
  map: {
    a: [1,
2
], "b": 'x
y'
  }
  text: "one
two

three \\
   four"
after: [{
  k: v
}]
`,
  },
  'what a program prints': {
    'list.json': JSON.stringify({ _meta: { hostvars: { a: { x: 1, s: '${y}', n: null, l: [{}] }, b: {} } }, all: { children: ['ungrouped', 'g', 'h'] }, g: { hosts: ['a', 'b'], vars: { v: { d: [1] } }, children: ['sub'] }, sub: { hosts: ['c'] }, h: { hosts: ['a'], vars: {} } }).replace('{', '{\n'),
  },
}

const words = ['web', 'db', 'cache', 'queue', 'mon']
/** Forty inventories in one: each an INI or YAML file of its own, with variables of every type. */
export const MANY: Readonly<Record<string, string>> = Object.fromEntries(Array.from({ length: 40 }, (_, i) => {
  const group = `${words[i % 5]}_${i % 7}`
  const value = [`${i}`, `${i}.5`, 'True', `'t ${i}'`, `[${i}, ${i + 1}]`, `{'k': ${i}}`, 'plain', 'None'][i % 8] ?? ''
  return i % 2 === 0
    ? [`f${String(i).padStart(2, '0')}`, `[${group}]\n${words[i % 5]}${i}-[01:0${2 + (i % 4)}]${i % 3 === 0 ? '.example.com' : ''} own="${value}" n${i}=${i}\n[${group}:vars]\nshared_${i % 4}=${value}\n[site_${i % 3}:children]\n${group}\n`]
    : [`f${String(i).padStart(2, '0')}.yml`, `${group}:\n  hosts:\n    "${words[i % 5]}${i}-[a:c]": {own: ${i % 4 === 1 ? `[${i}, {a: b}]` : `"${i}"`}}\n  vars: {shared_${i % 4}: ${i}, only_${i}: yes}\nsite_${i % 3}:\n  children: {${group}: {}}\n`]
}))

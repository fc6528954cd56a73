type Cases = Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>

const laughs = ['a: &a [x, x, x, x, x, x, x, x, x, x]', ...Array.from({ length: 9 }, (_, i) => `${String.fromCodePoint(98 + i)}: &${String.fromCodePoint(98 + i)} [${Array.from({ length: 10 }, () => `*${String.fromCodePoint(97 + i)}`).join(', ')}]`)].join('\n')
const merges = ['a: &a {x: 1}', ...Array.from({ length: 600 }, (_, i) => `b${i}: &b${i} {<<: [${i === 0 ? '*a' : `*b${i - 1}`}], k${i}: 1}`)].join('\n')

/** What nobody means well with, by path ending. */
function hostile(path: (extension: string) => string): Cases {
  return {
    'billion laughs': { [path('yml')]: laughs },
    'merge keys on merge keys': { [path('yml')]: merges },
    'deep lists': { [path('json')]: '['.repeat(100_000) },
    'deep maps': { [path('yml')]: `${'{a: '.repeat(500)}1${'}'.repeat(500)}` },
    'a prototype': { [path('json')]: '{"all": {"hosts": {"h": {"__proto__": {"polluted": true}}}}}' },
    'a constructor': { [path('json')]: '{"constructor": {"prototype": {"x": 1}}, "toString": 1}' },
    'no UTF-8': { [path('yml')]: new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe, 0x0a]) },
    'NUL bytes': { [path('yml')]: 'a: "x\u0000y"\n' },
    'NUL escapes': { [path('json')]: '{"all": {"hosts": {"h": {"v": "\\u0000\\u202e\\ud800"}}}}' },
    'a merge conflict': { [path('yml')]: '<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n' },
    'an unknown tag': { [path('yml')]: 'a: !!python/object/apply:os.system ["id"]\n' },
    'half a file': { [path('json')]: '{"all": {"hosts": {"a": {"x": [1, 2' },
    'a number of 400 digits': { [path('json')]: `{"all": {"hosts": {"h": {"n": ${'9'.repeat(400)}, "e": 1e999}}}}` },
    'a list where a map is meant': { [path('json')]: '[[], {}, null, 1]' },
    'a scalar': { [path('json')]: '"text"' },
    'keys twice': { [path('json')]: '{"all": {"hosts": {"a": {}}}, "all": {"hosts": {"b": {}}}}' },
  }
}

export const HOSTILE = {
  ansible: {
    ...hostile((extension) => `h.${extension}`),
    'a huge range': { h: 'host[1:999999999]\nx[1:99999999999999999999999]\n' },
    'ranges of ranges': { h: `${'h[1:9]'.repeat(12)}\n` },
    'a program': { h: '#!/usr/bin/env python3\nprint("{}")\n' },
    'a playbook': { 'site.yml': '- hosts: all\n  roles: [x]\n' },
    'a plugin': { 'aws_ec2.yml': 'plugin: aws_ec2\nregions: [eu-west-1]\n' },
    'a long line': { h: `a x="${'y'.repeat(200_000)}"\n` },
    'many hosts': { h: `[big]\nn[0001:5000] a=1 b='[1, 2]'\n[big:vars]\nv={'x': 1}\n` },
    'many groups': { h: Array.from({ length: 800 }, (_, i) => `[g${i}]\nh${i % 50}\n[g${i}:vars]\nv${i % 7}=${i}\n`).join('') },
    'many brackets': { h: `a x=${'['.repeat(50_000)}\nb y="${'('.repeat(50_000)}"\n` },
    'lonely quotes': { h: 'a x=\'"\nb "\nc \\\n' },
    'old short forms': { 'l.json': '{"a": ["x", "y"], "b": {"k": 1}, "c": {"hosts": "x"}, "d": 1, "_meta": {"hostvars": {"x": {"k": 2}, "gone": {"z": 1}}, "profile": 1}}' },
    'children in circles': { 'c.yml': 'a: {children: {b: {children: {c: {children: {a: }}}}}}\n' },
  },
  json: (name: string): Cases => hostile((extension) => `${name}.${extension}`),
}

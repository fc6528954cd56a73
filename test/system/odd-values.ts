import type { Json } from '../../schemas/shape.ts'

/** Texts that some tool, format or shell takes for something else. */
export const STRINGS = [
  '', ' ', ' lead and trail ', '\n', '\n\n', 'line\nline\n', 'trailing \n ', 'a\r\nb\r', 'tab\tbell', '\u007f',
  '007', '012', '0o17', '0x1F', '0b1', '1', '1.0', '-0', '1e3', '1e400', '1_000', '12:30', '12:30:45', '.5', '.inf', 'NaN', '9007199254740993',
  'yes', 'No', 'on', 'true', 'True', 'null', 'None', 'undef', 'nil', '~', '2026-01-01', '2026-01-01T00:00:00Z', '<<', '=', '-', '---', '...', '? x', '| x', '> x',
  '[1, 2]', '{"a": 1}', "{'a': 1}", '{}', '[]', 'a: b # c', '# c', '!x &a *b', '!unsafe x', '!vault |', '@x', "it's \"quoted\"", "'", '"', "''", '""',
  '{{ x }}', '{% if %}', '{# x #}', '}} {{', '#jinja2: variable_start_string: "[%"\n[% x %]', '<%= x %>', '#{x}', '`x`', '$x', '%x', '100 %', '%{x}', '%{::x}', "%{lookup('given')}", "%{literal('%')}{x}", '%%{x}', '%{%{x}}',
  'grüße 𝔘 漢字', 'e\u0301\u0323', '\u{1F469}\u200D\u{1F680}', '\u{10FFFF}', '\u0085', '\u2028', '\ufeff', '\ufffd', 'x'.repeat(5000), 'long 漢 '.repeat(20_000),
]
/** What cf-agent would change, and its jig refuses. */
export const BEYOND_CFENGINE: readonly Json[] = [
  'nul\0nul', 'a\u000bb', '\u001b[31m', '${x}', '$(x)', '$(sys.host)', '@(x)', '$((1+1))', '\\', '\\n \\ \\\\', '\\$(x)', 9007199254740991, -9007199254740991, 2147483648, 0.1235, 1.5e300, 5e-324, 1e16, 1e21, 1e-7,
  ...['"', 'a\nb', '\\', '$(k)', '${k}', '@(k)', '\0'].map((key) => ({ [key]: 1 })),
]
const KEYS = ['', ' ', 'a b', ' a', 'a.b', '.', '..', 'a-b', 'a_b', 'a:b', 'a::b', ':', 'a/b', 'a[0]', ']', "it's", '0', '-1', 'true', 'null', 'yes', '~', '1e3', '2026-01-01', 'A', 'é', 'e\u0301', '𝔘', '{{ k }}', '%{k}', '#{k}', '`k`', '*', '&a', '!x', '? k', '# k', 'constructor', 'keys', 'items', 'length', 'k'.repeat(300)]
export const OTHERS: readonly Json[] = [
  0, -1, 0.1, -2.5, 100.25, 2147483647, -2147483648, true, false, null, [], {}, [[]], [{}], { a: [] }, { a: {} },
  [[null, '1', 1]], { 'a b': { '0': ['x'] }, 'é': false }, Object.fromEntries(KEYS.map((key, i) => [key, i])),
]

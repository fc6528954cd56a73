import { expect, test } from 'vitest'
// @ts-expect-error it runs in the system of a build, with the Node of an old Debian
import { debianRelations } from '../../../../agent/build/in-root/node-range.mjs'

const relations = debianRelations as (name: string, range: string | undefined, options: { plain?: boolean }) => string[]

test.each([
  ['^8.2.0', '<< 9~', '>= 8.2.0'], ['^0.2.3', '<< 0.3~', '>= 0.2.3'], ['^0.0.3', '<< 0.0.4~', '>= 0.0.3'], ['^0', '<< 1~', '>= 0'], ['^1.2.3-beta.2', '<< 2~', '>= 1.2.3~beta.2'],
  ['~1.2.3', '<< 1.3~', '>= 1.2.3'], ['~1', '<< 2~', '>= 1'], ['~> 1.2', '<< 1.3~', '>= 1.2'], ['1.x', '<< 2~', '>= 1'], ['1.2.*', '<< 1.3~', '>= 1.2'], ['v1.2.3', '<< 1.2.4~', '>= 1.2.3'], ['=1.2', '<< 1.3~', '>= 1.2'],
  ['>=1.2 <3', '<< 3~', '>= 1.2'], ['>1.2', '>= 1.3'], ['<=2.1', '<< 2.2~'], ['>= 16', '>= 16'], ['1.2.3 - 2.3.4', '<< 2.3.5~', '>= 1.2.3'], ['^6 || ~7.1 || ^8.0.1', '<< 9~', '>= 6'], ['>=14 || ^12', '>= 12'],
  ['*'], [''], ['latest'], ['^1 || latest'], ['git+https://git.example.com/a.git'], ['file:../a'], ['npm:b@^1'], ['workspace:^1'], [undefined],
])('%s', (range, ...said) => {
  expect(relations('node-a', range, { plain: true })).toEqual(said.length === 0 ? ['node-a'] : said.map(one => `node-a (${String(one)})`))
})

test('a package whose version has an epoch is not held to an upper bound, which knows none', () => {
  expect(relations('node-a', '^1', {})).toEqual(['node-a (<< 2~) | node-a (>= 1:0)', 'node-a (>= 1)'])
})

import { expect, test } from 'vitest'
import { valueText } from '../../../compiler/print/cause-lines.ts'
import type { Json } from '../../../schemas/shape.ts'

test.each<readonly [Json, string]>([
  [{}, '{}'], [[], '[]'], [{ system: 1 }, '{ system: 1 }'], [{ a: {}, b: [1, 'x'] }, '{ a: {}, b: [1, x] }'],
])('%j is shown as %s', (value, text) => {
  expect(valueText(value)).toBe(text)
})

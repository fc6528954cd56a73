import type { Facts } from '../../schemas/inventory.ts'
import type { NodeFields } from '../validate/site.ts'

export type Selector = NonNullable<NodeFields['machine']>

/** The fields of a selector that name one machine. */
export const PIN_FIELDS = ['serial', 'mac', 'uuid', 'asset'] as const
type PinField = (typeof PIN_FIELDS)[number]
export type Pin = { readonly [K in PinField]?: string | undefined }

/** Whether a selector names one machine. */
export function isPinned(selector: Selector | undefined): boolean {
  return selector !== undefined && PIN_FIELDS.some((field) => selector[field] !== undefined)
}

/** Whether a selector says anything at all. */
export function isBounded(selector: Selector | undefined): boolean {
  return selector !== undefined && (isPinned(selector) || (selector.tags?.length ?? 0) > 0 || selector.where !== undefined)
}

/** Whether a machine is the one that a pin names: every field that the pin has must be the machine's. */
export function matchesPin(pin: Pin, facts: Facts): boolean {
  return PIN_FIELDS.every((field) => {
    const value = pin[field]
    if (value === undefined) return true
    switch (field) {
      case 'serial':
        return facts.dmi.serial === value
      case 'asset':
        return facts.dmi.asset === value
      case 'uuid':
        return facts.dmi.uuid.toLowerCase() === value.toLowerCase()
      case 'mac':
        return facts.nics.some((nic) => nic.mac === value.toLowerCase())
    }
  })
}

/** The fields of a selector that name one machine, MAC in lower case. */
export function pinOf(selector: Selector | undefined): { readonly [field: string]: string } {
  return Object.fromEntries(PIN_FIELDS.flatMap((field) => (selector?.[field] === undefined ? [] : [[field, field === 'mac' ? selector[field].toLowerCase() : selector[field]]])))
}

/** A selector in words, for people: "mac 52:54:00:12:4d:01", "first free machine tagged compute". */
export function describeSelector(selector: Selector | undefined): string {
  if (!isBounded(selector) || selector === undefined) return 'no machine'
  const pins = PIN_FIELDS.flatMap((field) => (selector[field] === undefined ? [] : [`${field} ${field === 'mac' ? selector[field].toLowerCase() : selector[field]}`]))
  const tagged = selector.tags !== undefined && selector.tags.length > 0 ? [`tagged ${selector.tags.join(', ')}`] : []
  const where = selector.where === undefined ? [] : [`where ${selector.where}`]
  return pins.length > 0 ? [...pins, ...tagged, ...where].join(' ') : ['first free machine', ...tagged, ...where].join(' ')
}

import type { Facts } from '../../schemas/inventory.ts'
import { matchesPin, PIN_FIELDS } from './selector.ts'
import type { Pin } from './selector.ts'

/** Finds what names a machine without asking everything: by the first field of each pin. */
export class PinIndex<T> {
  readonly #items = new Map<string, { readonly pin: Pin; readonly item: T }[]>()

  /** @param pin has a field; a pin without one names nothing and is never found. */
  add(pin: Pin, item: T): void {
    const field = PIN_FIELDS.find((each) => pin[each] !== undefined)
    if (field === undefined) return
    const key = keyOf(field, pin[field] as string)
    const list = this.#items.get(key)
    if (list === undefined) this.#items.set(key, [{ pin, item }])
    else list.push({ pin, item })
  }

  /** Everything whose pin names a machine with these facts, in the order of adding for each kind of pin. */
  find(facts: Facts): readonly T[] {
    return keysOf(facts).flatMap((key) => (this.#items.get(key) ?? []).filter(({ pin }) => matchesPin(pin, facts)).map(({ item }) => item))
  }
}

/** Finds the machines that a pin may name. */
export class MachineIndex<T extends { readonly facts: Facts }> {
  readonly #machines = new Map<string, T[]>()

  constructor(machines: Iterable<T>) {
    for (const machine of machines) {
      for (const key of keysOf(machine.facts)) {
        const list = this.#machines.get(key)
        if (list === undefined) this.#machines.set(key, [machine])
        else list.push(machine)
      }
    }
  }

  find(pin: Pin): readonly T[] {
    const field = PIN_FIELDS.find((each) => pin[each] !== undefined)
    if (field === undefined) return []
    return (this.#machines.get(keyOf(field, pin[field] as string)) ?? []).filter((machine) => matchesPin(pin, machine.facts))
  }
}

function keyOf(field: string, value: string): string {
  return `${field} ${field === 'mac' || field === 'uuid' ? value.toLowerCase() : value}`
}

function keysOf({ dmi, nics }: Facts): readonly string[] {
  const macs = [...new Set(nics.map((nic) => nic.mac))]
  return [keyOf('serial', dmi.serial), ...macs.map((mac) => keyOf('mac', mac)), keyOf('uuid', dmi.uuid), keyOf('asset', dmi.asset)]
}

import { machine } from './compiling.ts'
import type { MachineWish, Texts } from './compiling.ts'

/** So many machines, with ids and ports that count on from `first`. */
function several(count: number, first: number, wish: (i: number) => MachineWish): Texts {
  return Object.assign({}, ...Array.from({ length: count }, (_, i) => {
    const number = first + i
    const octet = number.toString(16).padStart(2, '0')
    return machine(`m${String(number).padStart(2, '0')}`, { macs: [1, 2, 3].map((port) => `52:54:00:00:0${port}:${octet}`), ...wish(i) })
  })) as Texts
}

/** The inventory with which each site example is complete, by its name; one that is not here brings its own. */
export const SEEN_MACHINES: Readonly<Record<string, Texts>> = {
  'first-light': {
    ...machine('m1', { macs: ['52:54:00:12:4d:01'], disks: [{ serial: 'FL-WEB-1' }] }),
    ...machine('m2', { macs: ['52:54:00:12:4d:02'], firmware: 'uefi', disks: [{ serial: 'FL-CLIENT-1' }, { serial: 'FL-DATA-1', bytes: 268_435_456 }] }),
  },
  joined: { ...machine('m1', { macs: ['52:54:00:12:5d:01'] }), ...machine('m2', { macs: ['52:54:00:12:5d:02'] }), ...machine('m3', { macs: ['52:54:00:12:5d:03'] }) },
  austin: {
    ...several(3, 1, (i) => ({ serial: `4XK${i + 2}` })),
    ...several(12, 4, (i) => ({ disks: [{ serial: `ssd-${i}` }, ...[1, 2, 3, 4].map((n) => ({ serial: `hdd-${i}-${n}`, rotational: true }))] })),
    ...several(40, 16, () => ({ product: 'PowerEdge R640' })),
  },
}

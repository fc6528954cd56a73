import type { ImportedFile } from './estate.ts'
import { at, entriesOf, isMap, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import { firmwareOf, importMachines, positive } from './facter.ts'
import type { FactSet } from './facter.ts'
import type { ImportContext } from './import-context.ts'
import type { InputFile } from './input.ts'
import { isPort, numberAt, saidAt } from './machine-facts.ts'
import type { SaidMachine } from './machine-facts.ts'

/** What `ohai` prints; a file a machine. */
export function importOhai(files: readonly InputFile[], context: ImportContext): readonly ImportedFile[] {
  return importMachines(files, context, { setsOf: ohaiSets, machine: ohaiMachine })
}

function ohaiSets(root: Place, fields: Fields): readonly FactSet[] {
  if (!isMap(root.value)) {
    fields.refused(root, 'what ohai prints is a map')
    return []
  }
  const file = root.document.path.split('/').at(-1) ?? ''
  return [{ roots: new Map(entriesOf(root)), otherwise: file.replace(/\.json$/i, ''), place: root, named: [] }]
}

export function ohaiMachine({ roots, otherwise, place }: FactSet): SaidMachine {
  const find = (name: string, ...way: readonly (string | number)[]): Place | undefined => at(roots.get(name), ...way)
  const dmi = (part: string, field: string): ReturnType<typeof saidAt> => saidAt(find('dmi', part, field))
  const cores = positive(numberAt(find('cpu', 'cores')))
  const memory = /^([0-9]+) ?kB$/.exec(textAt(find('memory', 'total')) ?? '')
  return {
    otherwise, place,
    names: [saidAt(find('fqdn')) ?? saidAt(find('machinename')) ?? saidAt(find('hostname'))].filter((one) => one !== undefined),
    address: saidAt(find('ipaddress')),
    architecture: saidAt(find('kernel', 'machine')),
    firmware: firmwareOf(textAt(find('virtualization', 'role')) === 'guest' ? find('virtualization', 'system') : undefined, find('filesystem', 'by_mountpoint') ?? find('filesystem2', 'by_mountpoint')),
    vendor: dmi('system', 'manufacturer'), product: dmi('system', 'product_name'), serial: dmi('system', 'serial_number'), uuid: dmi('system', 'uuid'), asset: dmi('chassis', 'asset_tag'),
    model: saidAt(find('cpu', '0', 'model_name')) ?? saidAt(find('cpu', 'model_name')),
    cores: cores === undefined ? undefined : { value: cores.value, places: [cores.place] },
    threads: positive(numberAt(find('cpu', 'total'))),
    memory: memory === null ? undefined : { value: Number(memory[1]) * 1024, place: find('memory', 'total') as Place },
    disks: entriesOf(find('block_device')).map(([kernelName, disk]) => {
      const sectors = numberAt(at(disk, 'size'))
      const rotational = at(disk, 'rotational')
      return {
        kernelName, place: disk, bytes: at(disk, 'size'), size: sectors === undefined ? undefined : sectors.value * 512,
        rotational: rotational?.value === '0' || rotational?.value === '1' ? { value: rotational.value === '1', place: rotational } : undefined,
        model: saidAt(at(disk, 'model')), serial: saidAt(at(disk, 'serial')), wwn: saidAt(at(disk, 'wwn')),
      }
    }),
    nics: entriesOf(find('network', 'interfaces')).filter(([name, port]) => isPort(name) && textAt(port, 'encapsulation') !== 'Loopback').flatMap(([, port]) => {
      const mac = entriesOf(at(port, 'addresses')).find(([, address]) => textAt(address, 'family') === 'lladdr')
      return mac === undefined ? [] : [{ mac: { text: mac[0], place: at(mac[1], 'family') as Place }, driver: saidAt(at(port, 'driver_info', 'driver') ?? at(port, 'driver')), bus: saidAt(at(port, 'driver_info', 'bus_info')) }]
    }),
  }
}

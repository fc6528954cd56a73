import type { Facts } from '../../schemas/inventory.ts'
import type { Host, ImportedFile } from './estate.ts'
import { at, entriesOf, isMap, itemsOf, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import type { ImportContext } from './import-context.ts'
import { readDocument, wholeFile } from './input.ts'
import type { InputFile } from './input.ts'
import { isPort, machineOf, numberAt, saidAt } from './machine-facts.ts'
import type { Roots, SaidMachine } from './machine-facts.ts'
import { writeEstate } from './write-estate.ts'
import { RUBY_YAML } from './yaml-dialects.ts'

const CONTAINERS: ReadonlySet<string> = new Set(['docker', 'lxc', 'systemd_nspawn', 'podman', 'openvz', 'vserver'])

/** The facts of a machine in a document: its name if they do not say it, and where they are. */
export interface FactSet {
  readonly roots: Roots
  readonly otherwise: string
  readonly place: Place
  /** Where the host is named beside its facts. */
  readonly named: readonly Place[]
}

/** What `facter --json` prints, or `puppet facts`; a file a machine. */
export function importFacter(files: readonly InputFile[], context: ImportContext): readonly ImportedFile[] {
  return importMachines(files, context, { setsOf: facterSets, machine: facterMachine })
}

/** What PuppetDB answers for facts, factsets or inventory: many machines in one file. */
export function importPuppetDb(files: readonly InputFile[], context: ImportContext): readonly ImportedFile[] {
  return importMachines(files, context, { setsOf: puppetDbSets, machine: facterMachine })
}

export interface MachineReader {
  readonly setsOf: (root: Place, fields: Fields) => readonly FactSet[]
  readonly machine: (set: FactSet) => SaidMachine
}

/** Inventory files, and a node pinned to each machine. What is not a fact of hardware is kept beside. */
export function importMachines(files: readonly InputFile[], context: ImportContext, { setsOf, machine }: MachineReader): readonly ImportedFile[] {
  const { fields, report } = context
  const hosts: Host[] = []
  const written = new Map<string, ImportedFile>()
  for (const file of files) {
    const document = readDocument(file, RUBY_YAML, report)
    if (document === undefined) {
      fields.refused(fields.add(wholeFile(file)), 'it could not be read')
      continue
    }
    const root = fields.add(document)
    fields.beside(root, 'no fact of hardware, or one that nothing here reads')
    for (const set of setsOf(root, fields)) {
      const known = machineOf(machine(set), context)
      if (known === undefined) continue
      if (written.has(known.file.path)) fields.refused(set.place, `another file is of the same machine: ${known.file.path}`)
      else {
        written.set(known.file.path, known.file)
        hosts.push({ ...known.host, places: [...known.host.places, ...set.named] })
      }
    }
  }
  return [...written.values(), ...writeEstate({ name: 'facts', hosts: distinctHosts(hosts), groups: [], declared: [] }, context)]
}

/** Two machines that say one name are two nodes all the same. */
function distinctHosts(hosts: readonly Host[]): readonly Host[] {
  const counts = new Map<string, number>()
  return hosts.map((host) => {
    const count = (counts.get(host.name) ?? 0) + 1
    counts.set(host.name, count)
    return count === 1 ? host : { ...host, name: `${host.name} ${count}` }
  })
}

function facterSets(root: Place, fields: Fields): readonly FactSet[] {
  const values = at(root, 'values')
  const facts = values !== undefined && isMap(values.value) ? values : root
  if (!isMap(facts.value)) {
    fields.refused(root, 'facts are a map: give what `facter --json` prints')
    return []
  }
  const name = at(root, 'name')
  const file = root.document.path.split('/').at(-1) ?? ''
  return [{ roots: new Map(entriesOf(facts)), otherwise: file.replace(/\.(json|ya?ml)$/i, ''), place: facts, named: facts === root || name === undefined ? [] : [name] }]
}

function puppetDbSets(root: Place, fields: Fields): readonly FactSet[] {
  const sets = new Map<string, { readonly roots: Map<string, Place>; readonly place: Place; readonly named: Place[] }>()
  for (const item of Array.isArray(root.value) ? itemsOf(root) : [root]) {
    const certname = at(item, 'certname')
    const name = textAt(certname)
    if (name === undefined || certname === undefined) {
      fields.refused(item, 'it has no `certname`')
      continue
    }
    if (at(item, 'path') !== undefined) {
      fields.refused(item, 'it is a part of a fact: ask PuppetDB for `facts`, `factsets` or `inventory`')
      continue
    }
    const set = sets.get(name) ?? { roots: new Map<string, Place>(), place: item, named: [] }
    sets.set(name, set)
    set.named.push(certname)
    const data = at(item, 'facts', 'data')
    const fact = textAt(item, 'name')
    const value = at(item, 'value')
    const facts = at(item, 'facts') ?? at(item, 'values')
    if (fact !== undefined && value !== undefined) {
      set.roots.set(fact, value)
      fields.mapped(at(item, 'name') as Place, `machine of ${name}`, 'the name of a fact')
    } else if (data !== undefined && Array.isArray(data.value)) {
      for (const one of itemsOf(data)) {
        const given = at(one, 'value')
        if (given !== undefined) set.roots.set(textAt(one, 'name') ?? '', given)
      }
    } else if (facts !== undefined && isMap(facts.value)) for (const [key, place] of entriesOf(facts)) set.roots.set(key, place)
    else fields.refused(item, 'it has no facts')
  }
  return [...sets].map(([otherwise, { roots, place, named }]) => ({ roots, otherwise, place, named }))
}

/** Facts of Facter 3 and 4, or else the flat ones of Facter 2. */
function facterMachine({ roots, otherwise, place }: FactSet): SaidMachine {
  const find = (name: string, ...way: readonly (string | number)[]): Place | undefined => at(roots.get(name), ...way)
  const said = (...places: readonly (Place | undefined)[]): ReturnType<typeof saidAt> => places.map(saidAt).find((one) => one !== undefined)
  const cores = numberAt(find('processors', 'cores'))
  const sockets = numberAt(find('processors', 'physicalcount') ?? find('physicalprocessorcount'))
  const megabytes = find('memorysize_mb')
  const bytes = numberAt(find('memory', 'system', 'total_bytes'))
  const mib = Number(megabytes?.value)
  return {
    otherwise, place,
    names: [said(find('networking', 'fqdn'), find('fqdn'), find('networking', 'hostname'), find('hostname'), find('clientcert'))].filter((one) => one !== undefined),
    address: said(find('networking', 'ip'), find('ipaddress')),
    architecture: said(find('os', 'architecture'), find('architecture'), find('hardwaremodel')),
    firmware: firmwareOf(find('virtual'), find('mountpoints')),
    vendor: said(find('dmi', 'manufacturer'), find('manufacturer')),
    product: said(find('dmi', 'product', 'name'), find('productname')),
    serial: said(find('dmi', 'product', 'serial_number'), find('serialnumber')),
    uuid: said(find('dmi', 'product', 'uuid'), find('uuid')),
    asset: said(find('dmi', 'chassis', 'asset_tag')),
    model: said(find('processors', 'models', 0), find('processor0')),
    cores: cores === undefined || cores.value === 0 ? undefined : { value: cores.value * Math.max(1, sockets?.value ?? 1), places: [cores.place, ...(sockets === undefined ? [] : [sockets.place])] },
    threads: positive(numberAt(find('processors', 'count') ?? find('processorcount'))),
    memory: bytes ?? (megabytes !== undefined && Number.isFinite(mib) && mib > 0 ? { value: Math.round(mib * 1024 * 1024), place: megabytes } : undefined),
    disks: find('disks') === undefined ? flatDisks(roots) : entriesOf(find('disks')).map(([kernelName, disk]) => {
      const type = at(disk, 'type')
      return {
        kernelName, place: disk, bytes: at(disk, 'size_bytes'), size: numberAt(at(disk, 'size_bytes'))?.value,
        rotational: type?.value === 'hdd' || type?.value === 'ssd' ? { value: type.value === 'hdd', place: type } : undefined,
        model: saidAt(at(disk, 'model')), serial: saidAt(at(disk, 'serial') ?? at(disk, 'serial_number')), wwn: saidAt(at(disk, 'wwn')),
      }
    }),
    nics: portsOf(roots),
  }
}

/** Ports, or where none is told by its name, the one that the machine's own address is of. */
function portsOf(roots: Roots): SaidMachine['nics'] {
  const interfaces = at(roots.get('networking'), 'interfaces')
  const named = interfaces === undefined
    ? [...roots].flatMap(([key, fact]) => (key.startsWith('macaddress_') && isPort(key.slice('macaddress_'.length)) ? [{ mac: saidAt(fact) }] : []))
    : entriesOf(interfaces).filter(([name]) => isPort(name)).map(([, port]) => ({ mac: saidAt(at(port, 'mac')), speed: numberAt(at(port, 'speed')), driver: saidAt(at(port, 'driver')) }))
  const nics = named.flatMap(({ mac, ...more }) => (mac === undefined ? [] : [{ mac, ...more }]))
  const own = saidAt(at(roots.get('networking'), 'mac') ?? roots.get('macaddress'))
  return nics.length > 0 || own === undefined ? nics : [{ mac: own }]
}

function flatDisks(roots: Roots): SaidMachine['disks'] {
  return [...roots].flatMap(([key, bytes]) => {
    const kernelName = /^blockdevice_(.+)_size$/.exec(key)?.[1]
    return kernelName === undefined ? [] : [{ kernelName, place: bytes, bytes, size: numberAt(bytes)?.value, model: saidAt(roots.get(`blockdevice_${kernelName}_model`)) }]
  })
}

/** A machine with a variable store, or a boot partition for UEFI, is one that booted by it. */
export function firmwareOf(virtual: Place | undefined, mounts: Place | undefined): { readonly kind: Facts['firmware']['kind']; readonly place: Place } | undefined {
  if (virtual !== undefined && CONTAINERS.has(textAt(virtual) ?? '')) return { kind: 'container', place: virtual }
  const efi = entriesOf(mounts).find(([path]) => path === '/sys/firmware/efi/efivars' || path === '/boot/efi')
  return efi === undefined ? undefined : { kind: 'uefi', place: efi[1] }
}

export function positive(number: ReturnType<typeof numberAt>): ReturnType<typeof numberAt> {
  return number === undefined || number.value === 0 ? undefined : number
}

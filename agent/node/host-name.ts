import { readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The names of this host, where it keeps them. */
export interface HostName {
  /**
   * Has the host go by the name that its node has now: in `/etc/hostname`, in the lines of `/etc/hosts` about this host,
   * and in the running kernel. Only where an earlier name of the node stands, also before a domain: what somebody called
   * otherwise stays. Nothing happens when it is the name already; what was begun and cut short is done again.
   */
  become(name: string): Promise<void>
}

export interface HostNameOptions {
  /** Names that the host may still say, the last one is what it is to say: a JSON list, kept. */
  readonly file: string
  /** Where `etc` is. */
  readonly root: string
  /** The name that it was set up under. */
  readonly first: string
  /** The kernel's. */
  readonly kernel: { get(): string; set(name: string): Promise<void> }
  /** Addresses of this host's ports. */
  readonly addresses: () => readonly string[]
}

/** Reads which name is in force; it is the first as long as there never was another one. */
export async function openHostName({ file, root, first, kernel, addresses }: HostNameOptions): Promise<HostName> {
  let names = namesIn(await readFile(file, 'utf8').catch(() => '')) ?? [first]
  const keep = async (next: readonly string[]): Promise<void> => {
    await replaceFile(file, `${JSON.stringify(next)}\n`)
    names = next
  }
  const edit = async (path: string, change: (text: string) => string): Promise<void> => {
    const before = await readFile(join(root, path), 'utf8').catch(() => null)
    if (before === null || change(before) === before) return
    await replaceFile(await realpath(join(root, path)), change(before))
  }
  return {
    async become(name) {
      if (names.length === 1 && names[0] === name) return
      const former = names.filter((one) => one !== name)
      await keep([...former, name])
      await edit('etc/hostname', (text) => text.split('\n').map((line) => renamed(line, former, name)).join('\n'))
      await edit('etc/hosts', (text) => hosts(text, { former, name, own: addresses() }))
      const running = kernel.get()
      if (renamed(running, former, name) !== running) await kernel.set(renamed(running, former, name))
      await keep([name])
    },
  }
}

function namesIn(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string') ? (value as readonly string[]) : undefined
  } catch {
    return undefined
  }
}

/** `old` and `old.example.com` with the new name; anything else as it is. */
function renamed(text: string, former: readonly string[], name: string): string {
  const [head = '', ...domain] = text.split('.')
  return former.includes(head) ? [name, ...domain].join('.') : text
}

/** Lines about this host: of its own addresses, and of the loopback network. */
function hosts(text: string, { former, name, own }: { readonly former: readonly string[]; readonly name: string; readonly own: readonly string[] }): string {
  const line = (each: string): string => {
    const [entry = '', ...comment] = each.split('#')
    const [address = ''] = entry.trim().split(/\s+/)
    if (!address.startsWith('127.') && address !== '::1' && !own.includes(address)) return each
    return [entry.replaceAll(/(?<=\s)\S+/g, (word) => renamed(word, former, name)), ...comment].join('#')
  }
  return text.split('\n').map(line).join('\n')
}

/** Whole or not at all; in place where the file cannot be replaced, as when it is mounted there. */
async function replaceFile(file: string, text: string): Promise<void> {
  const mode = (await stat(file).catch(() => ({ mode: 0o644 }))).mode & 0o777
  const next = `${file}.crowbar`
  try {
    await writeFile(next, text, { mode, flush: true })
    await rename(next, file)
  } catch {
    await rm(next, { force: true }).catch(() => undefined)
    await writeFile(file, text, { flush: true })
  }
}

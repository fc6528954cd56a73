import { execute } from '../../../bin/execute.ts'

export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line without a process of its own, which is ten times faster, and gives what it wrote. */
export async function crowbarHere(args: readonly string[]): Promise<Ran> {
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)]
  try {
    const status = await execute(args)
    return { status, stdout: stdout.text(), stderr: stderr.text() }
  } finally {
    stdout.restore()
    stderr.restore()
  }
}

function capture(stream: NodeJS.WriteStream): { readonly text: () => string; readonly restore: () => void } {
  const own = Object.getOwnPropertyDescriptor(stream, 'write')
  const chunks: string[] = []
  Object.defineProperty(stream, 'write', {
    configurable: true,
    writable: true,
    value: (chunk: string | Uint8Array) => {
      chunks.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8'))
      return true
    },
  })
  return {
    text: () => chunks.join(''),
    restore: () => {
      if (own === undefined) Reflect.deleteProperty(stream, 'write')
      else Object.defineProperty(stream, 'write', own)
    },
  }
}

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parseAllDocuments } from 'yaml'
import { sourceShape } from '../../schemas/documents/rule.ts'
import type { SourceDocument } from '../../schemas/documents/rule.ts'
import type { DeclaredSource } from './resolve-source.ts'

/** A file of sources that cannot be used; `message` names file, document and remedy. */
export class SourcesError extends Error {
  readonly code = 'SOURCES_INVALID'
}

/**
 * Reads the `source` documents of a YAML file; documents of other kinds are passed over. A keyring is a file, relative to it.
 *
 * @throws {SourcesError}
 */
export async function readSources(file: string): Promise<DeclaredSource[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SourcesError(`cannot read ${file}: ${(cause as Error).message}`, { cause })
  })
  const parsed = parseAllDocuments(text)
  const validate = new Ajv2020({ allErrors: true, strict: false }).compile<SourceDocument>(sourceShape.json)
  const sources: DeclaredSource[] = []
  for (const document of 'empty' in parsed ? [] : parsed) {
    const problem = document.errors[0]
    if (problem !== undefined) throw new SourcesError(`${file}: ${problem.message}`)
    const value: unknown = document.toJS({ maxAliasCount: 0 })
    if (typeof value !== 'object' || value === null || !('kind' in value) || value.kind !== 'source') continue
    if (!validate(value)) throw new SourcesError(`${file}: ${(validate.errors ?? []).map(one => `${one.instancePath.slice(1)} ${one.message ?? ''}`.trim()).join('; ')}`)
    const { name, type, upstream, suites = [], components = [], architectures = [], keyring, sha256 = null } = value
    if (upstream === 'system' && type !== 'apt') throw new SourcesError(`${file}: ${name} is of type ${type}, and only of apt is there an upstream that this system uses: write its URL`)
    const path = keyring === undefined ? null : resolve(dirname(file), keyring)
    const keys = path === null ? null : await readFile(path).catch((cause: unknown) => {
      throw new SourcesError(`${file}: the keyring of ${name} cannot be read: ${(cause as Error).message}`, { cause })
    })
    sources.push({ name, type, upstream, suites, components, architectures, keys: keys === null ? null : keys.toString('base64'), at: file, sha256 })
  }
  return sources
}

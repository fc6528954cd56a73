/** What stands in the place of an encrypted value where only its label is read. */
export function secretFileText(path: string, version: string, recipients: readonly string[] = ['age1test']): string {
  return `age-encryption.org/v1\n-> X25519 share\nbody\n-> crowbar ${path} ${version} ${recipients.join(' ')}\n\n--- mac\nbytes`
}

/** The files of secrets: path → its version, or its version and the one before. */
export function secretFiles(secrets: Readonly<Record<string, string | readonly [string, string]>>): Readonly<Record<string, string>> {
  const files: Record<string, string> = {}
  let index = ''
  for (const [path, versions] of Object.entries(secrets)) {
    const [version, previous] = typeof versions === 'string' ? [versions] : versions
    index += `${path}: { version: ${version}${previous === undefined ? '' : `, previous: ${previous}`} }\n`
    files[`secrets/${path}.age`] = secretFileText(path, version)
    if (previous !== undefined) files[`secrets/${path}@${previous}.age`] = secretFileText(path, previous)
  }
  return { ...files, 'secrets/index.yaml': index }
}

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Archive } from './archive.ts'

/** Keys of its own, and archives that they sign. Needs gpg and gpg-agent. */
export interface Signer extends Disposable {
  gpg(...args: string[]): Buffer
  /** Text with signatures of several keys inside. */
  clearsign(text: Buffer, by: readonly string[]): Buffer
  /** Takes a key back, by the certificate that was made with it. */
  revoke(name: string): void
  /** @param by the name of a key. Inline: an InRelease takes the place of the Release. */
  sign(files: Archive, options: { readonly by: string; readonly inline: boolean; readonly folder?: string }): Archive
}

export function openSigner(names: readonly string[]): Signer {
  const home = mkdtempSync(join(tmpdir(), 'crowbar-gpg-'))
  const gpg = (...args: string[]): Buffer => execFileSync('gpg', ['--homedir', home, '--batch', '--yes', '--pinentry-mode', 'loopback', ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  for (const name of names) gpg('--passphrase', '', '--quick-gen-key', `${name} <${name}@example.com>`, 'ed25519', 'sign', 'never')
  return {
    gpg,
    clearsign(text, by) {
      const file = join(home, 'text')
      writeFileSync(file, text)
      gpg(...by.flatMap(name => ['--local-user', `${name}@`]), '--output', `${file}.out`, '--clearsign', file)
      return readFileSync(`${file}.out`)
    },
    revoke(name) {
      const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(gpg('--list-keys', '--with-colons', name).toString())?.[1] ?? ''
      const certificate = join(home, 'revoked.asc')
      // A colon keeps it from being used by mistake.
      writeFileSync(certificate, readFileSync(join(home, 'openpgp-revocs.d', `${fingerprint}.rev`), 'utf8').replace(/^:-----/m, '-----'))
      gpg('--import', certificate)
    },
    sign(files, { by, inline, folder = 'dists/test/' }) {
      const release = join(home, 'Release')
      writeFileSync(release, files.get(`${folder}Release`) ?? '')
      gpg('--local-user', by, '--output', `${release}.out`, inline ? '--clearsign' : '--detach-sign', ...(inline ? [] : ['--armor']), release)
      const result = new Map(files).set(`${folder}${inline ? 'InRelease' : 'Release.gpg'}`, readFileSync(`${release}.out`))
      if (inline) result.delete(`${folder}Release`)
      return result
    },
    [Symbol.dispose]() {
      execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'])
      rmSync(home, { recursive: true, force: true })
    },
  }
}

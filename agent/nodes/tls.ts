// The dependency container inside @peculiar/x509 looks for it when it is loaded.
import 'reflect-metadata'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'

/** What the node server shows, and what nodes are told to expect. */
export interface ServerIdentity {
  /** PEM: the server's certificate and after it the authority's, so that a node can find the one it pins. */
  readonly certificates: string
  /** PEM, PKCS #8. */
  readonly key: string
  /** SHA-256 of the authority's certificate (DER), 64 hex digits: `crowbar.ca` on the kernel command line. */
  readonly fingerprint: string
  /** PEM of the authority. */
  readonly authority: string
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 24 * 60 * 60 * 1000
const AUTHORITY_MS = 30 * 365 * DAY_MS
const SERVER_MS = 10 * 365 * DAY_MS
const RENEW_MS = 365 * DAY_MS
/** Machines whose clock is a little behind still accept what was just made. */
const BACKDATE_MS = 2 * DAY_MS

/**
 * Opens the certificate authority and the server certificate of this admin agent, and makes what is missing. The authority
 * is made once and kept: nodes pin it. The server's certificate is made anew when its names change or its last year begins.
 *
 * Files in `folder`: `ca.key`, `ca.crt`, `server.key`, `server.crt`; keys have mode 0600.
 *
 * @param names addresses and host names under which nodes reach the server.
 */
export async function openServerIdentity(folder: string, { names, now }: { readonly names: readonly string[]; readonly now: number }): Promise<ServerIdentity> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  x509.cryptoProvider.set(webcrypto)
  const authority = (await readPair(folder, 'ca')) ?? (await makeAuthority(folder, now))
  const fits = (pair: Pair): boolean => pair.certificate.notAfter.getTime() - now > RENEW_MS && sameNames(pair.certificate, names) && pair.certificate.issuer === authority.certificate.subject
  const old = await readPair(folder, 'server')
  const server = old !== undefined && fits(old) && (await old.certificate.verify({ publicKey: authority.certificate, date: new Date(now) })) ? old : await makeServer(folder, { authority, names, now })
  return {
    certificates: `${server.certificate.toString('pem')}\n${authority.certificate.toString('pem')}\n`,
    key: server.keyPem,
    authority: `${authority.certificate.toString('pem')}\n`,
    fingerprint: createHash('sha256').update(Buffer.from(authority.certificate.rawData)).digest('hex'),
  }
}

interface Pair {
  readonly certificate: x509.X509Certificate
  readonly keyPem: string
}

async function readPair(folder: string, name: string): Promise<Pair | undefined> {
  try {
    const certificate = new x509.X509Certificate(await readFile(join(folder, `${name}.crt`), 'utf8'))
    return { certificate, keyPem: await readFile(join(folder, `${name}.key`), 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function makeAuthority(folder: string, now: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(), name: `CN=Crowbar ${randomBytes(4).toString('hex')}`, keys: keys, signingAlgorithm: ALGORITHM,
    notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + AUTHORITY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return writePair(folder, 'ca', { certificate, keyPem: await pemOf(keys.privateKey) })
}

async function makeServer(folder: string, { authority, names, now }: { readonly authority: Pair; readonly names: readonly string[]; readonly now: number }): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const signingKey = await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(authority.keyPem), ALGORITHM, false, ['sign'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(), subject: 'CN=crowbar node server', issuer: authority.certificate.subject, publicKey: keys.publicKey,
    signingKey, signingAlgorithm: ALGORITHM, notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + SERVER_MS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }))),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  })
  return writePair(folder, 'server', { certificate, keyPem: await pemOf(keys.privateKey) })
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

/** The key first: a certificate without its key would be kept and useless, the other way round it is made anew. */
async function writePair(folder: string, name: string, pair: Pair): Promise<Pair> {
  await writeDurably(join(folder, `${name}.key`), pair.keyPem)
  await writeDurably(join(folder, `${name}.crt`), `${pair.certificate.toString('pem')}\n`)
  return pair
}

async function writeDurably(path: string, text: string): Promise<void> {
  {
    await using file = await open(`${path}.next`, 'w', 0o600)
    await file.writeFile(text)
    await file.sync()
  }
  await rename(`${path}.next`, path)
}

function sameNames(certificate: x509.X509Certificate, names: readonly string[]): boolean {
  const extension = certificate.getExtension(x509.SubjectAlternativeNameExtension)
  const found = (extension?.names.items ?? []).map(({ value }) => value).toSorted()
  return found.join(' ') === [...names].toSorted().join(' ')
}

/** Positive and at most 20 octets (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  return `01${randomBytes(15).toString('hex')}`
}

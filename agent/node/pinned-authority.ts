import { X509Certificate, createHash } from 'node:crypto'
import { connect } from 'node:tls'
import { NodeError } from './node-error.ts'

/**
 * Fetches the certificate authority that a server presents, and gives it (PEM) only if its SHA-256 is the one this node
 * was given: all later connections are then verified against it in the ordinary way.
 *
 * Nothing is sent on this connection but the TLS handshake.
 *
 * @param fingerprint SHA-256 of the certificate (DER), 64 hex digits.
 * @throws {NodeError} CA_MISMATCH; the system's error when the server cannot be reached.
 */
export async function fetchAuthority(url: string, fingerprint: string, options: { readonly signal: AbortSignal }): Promise<string> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const chain = await presentedChain(host, Number(port === '' ? 443 : port), options.signal)
  const authority = chain.find((certificate) => createHash('sha256').update(certificate).digest('hex') === fingerprint)
  if (authority === undefined) {
    throw new NodeError('CA_MISMATCH', `the server at ${host} does not belong to the certificate authority ${fingerprint.slice(0, 16)}…`)
  }
  return new X509Certificate(authority).toString()
}

function presentedChain(host: string, port: number, signal: AbortSignal): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    // The chain is judged by its fingerprint alone here; the connection carries nothing.
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: 15_000 })
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(error as Error)
    }
    const onAbort = (): void => fail(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', fail)
    socket.once('close', () => fail(new Error(`${host}:${port} closed the connection`)))
    socket.once('timeout', () => fail(new Error(`${host}:${port} did not answer`)))
    socket.once('secureConnect', () => {
      const chain: Buffer[] = []
      let certificate = socket.getPeerCertificate(true)
      while (certificate.raw !== undefined && !chain.some((one) => one.equals(certificate.raw))) {
        chain.push(certificate.raw)
        if (certificate.issuerCertificate === undefined) break
        certificate = certificate.issuerCertificate
      }
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(chain)
    })
  })
}

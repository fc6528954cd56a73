/** Why something on the node could not be done. Codes are stable and go to the agent as they are. */
export type NodeErrorCode =
  /** The kernel command line or agent.json does not say what is needed. */
  | 'CONFIG_INVALID'
  /** The server's certificate authority is not the one whose fingerprint this node was given. */
  | 'CA_MISMATCH'
  | 'PROTOCOL'
  | 'PROGRAM_MISSING'
  | 'PROGRAM_FAILED'
  /** What was fetched has another hash or size than was announced. */
  | 'CONTENT_MISMATCH'
  | 'FETCH_FAILED'
  | 'JIG_UNKNOWN'
  /** The jig's tool is not on the node. */
  | 'JIG_MISSING'
  /** The tool ended with another exit code than 0. */
  | 'JIG_EXIT'
  /** A value cannot be given to the tool as it is. */
  | 'JIG_VALUE'
  /** A role is given secrets, and the node has no folder in memory for them; nothing was run. */
  | 'WORK_ON_DISK'
  /** What the tool left cannot be read. */
  | 'JIG_RESULT'
  | 'CONTENT_INVALID'
  | 'PACKAGES_FAILED'
  | 'PROVIDE_MISSING'
  | 'PROVIDE_UNDECLARED'
  | 'PROVIDE_SECRET'
  | 'PROVIDE_TYPE'
  | 'RESULT_TOO_LARGE'
  /** A disk that the task names is not here. */
  | 'DISK_MISSING'
  /** A disk does not hold what was approved; nothing was written. */
  | 'DISK_CHANGED'
  /** A disk may be another one over another path; nothing was written. */
  | 'DISK_AMBIGUOUS'
  /** A disk is mounted or otherwise held. */
  | 'DISK_BUSY'
  | 'DISK_TOO_SMALL'
  /** A disk that was overwritten does not read as zeros everywhere. */
  | 'DISK_NOT_ERASED'
  | 'INSTALL_UNSUPPORTED'
  | 'IMAGE_RAID_UNSUPPORTED'
  | 'IMAGE_INVALID'
  /** An earlier life of the node agent ended while this attempt ran; it is not repeated. */
  | 'INTERRUPTED'
  | 'TIMEOUT'
  | 'CANCELLED'
  | 'BUSY'

/** A failure of the node agent's own work. */
export class NodeError extends Error {
  readonly code: NodeErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: NodeErrorCode, message: string, options: { readonly data?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'NodeError'
    this.code = code
    this.data = options.data ?? {}
  }
}

/** The system's own error code (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/**
 * What failed, for a result. When cleaning up after a failure failed too, the first failure is the one to know, and the other
 * is told behind it.
 */
export function described(error: unknown): { readonly code: NodeErrorCode | 'FAILED'; readonly message: string } {
  if (error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error && 'error' in error) {
    const first = described(error.suppressed)
    return { ...first, message: `${first.message}; then ${described(error.error).message}` }
  }
  return { code: error instanceof NodeError ? error.code : 'FAILED', message: error instanceof Error ? error.message : String(error) }
}

/** A file of a tree, or the tree itself, could not be read. The message says what was tried and what happened. */
export class TreeError extends Error {
  readonly code: 'FILE_UNREADABLE' | 'GIT_FAILED' | 'REVISION_UNKNOWN' | 'FOLDER_UNREADABLE'

  constructor(code: TreeError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TreeError'
    this.code = code
  }
}

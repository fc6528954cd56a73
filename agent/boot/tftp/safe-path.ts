/** Longest name that is looked at, bytes. */
const longest = 255

/**
 * Reads the file name of a request: no leading, trailing or doubled slash.
 *
 * @returns undefined for a name that is too long, empty, has a `.` or `..` part, a backslash or anything but printable ASCII.
 *   None of those can name a file of ours, and each has been somebody's way out of a folder.
 */
export function safePath(name: string): string | undefined {
  if (name.length > longest || /[^\x20-\x7e]|\\/.test(name)) return undefined
  const parts = name.split('/').filter((part) => part !== '')
  if (parts.length === 0 || parts.some((part) => part === '.' || part === '..')) return undefined
  return parts.join('/')
}

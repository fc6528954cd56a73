import type { Readable } from 'node:stream'

/**
 * The JSON values of a stream, one a line, as they come. A line ends with a line feed and nothing else: for `node:readline` one
 * also ends at U+2028 and U+2029, which JSON may hold as they are.
 */
export async function* jsonLines(stream: Readable): AsyncIterable<unknown> {
  stream.setEncoding('utf8')
  let rest = ''
  for await (const text of stream as AsyncIterable<string>) {
    rest += text
    // A line of many pieces is put together once.
    if (!text.includes('\n')) continue
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield JSON.parse(line)
  }
  if (rest !== '') yield JSON.parse(rest)
}

/** Lines that begin with these words stand out, as in a terminal. */
const LOUD = /^( *)((?:MAY )?(?:WIPE|REINSTALL|RELEASE|REMOVE)|REFUSED|NEXT|UNKNOWN|POLICIES|MISSING)\b/

/** A text as an HTML page of its own: no script, nothing loaded, readable by day and by night. */
export function htmlPage(title: string, text: string): string {
  const lines = text.trimEnd().split('\n').map((line) => escaped(line).replace(LOUD, '$1<b>$2</b>'))
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>:root { color-scheme: light dark } body { margin: 2em } pre { font: 14px/1.5 monospace; overflow-x: auto } b { color: light-dark(#b00020, #ff8a80) }</style>
<pre>
${lines.join('\n')}
</pre>
</html>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

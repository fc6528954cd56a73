import { expect, test } from 'vitest'
import { htmlPage } from '../../../compiler/print/html-page.ts'

test('a page says what the text says, and nothing in it becomes markup', () => {
  const page = htmlPage('a & b', '  WIPE  1 node\nname <script>alert("x")</script>\n')
  expect(page).toContain('<title>a &amp; b</title>')
  expect(page).toContain('  <b>WIPE</b>  1 node\nname &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\n</pre>')
  expect(page).not.toContain('<script')
})

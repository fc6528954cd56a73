// Installs a Node project where Debian's Node looks for modules, and names what it requires by Debian's names.
import { execSync } from 'node:child_process'
import { appendFileSync, chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { basename, join, relative } from 'node:path'

const project = JSON.parse(readFileSync('/build/src/package.json', 'utf8'))
if (project.scripts?.build !== undefined) execSync(project.scripts.build, { cwd: '/build/src', stdio: 'inherit', shell: '/bin/sh' })
const place = join('/usr/share/nodejs', project.name)
const into = join('/build/dest', place)
mkdirSync(into, { recursive: true })
const wanted = project.files === undefined ? null : ['package.json', project.main ?? 'index.js', ...Object.values(binOf()), ...project.files].map((path) => join('.', path).replace(/\/+(\*\*?)?$/, ''))
cpSync('/build/src', into, {
  recursive: true,
  filter: (source) => {
    const path = relative('/build/src', source)
    if (/(^|\/)(node_modules|\.git[^/]*)(\/|$)/.test(path)) return false
    return wanted === null || path === '' || wanted.some((one) => path === one || path.startsWith(`${one}/`) || one.startsWith(`${path}/`))
  },
})
mkdirSync('/build/dest/usr/bin', { recursive: true })
for (const [name, path] of Object.entries(binOf())) {
  chmodSync(join(into, path), 0o755)
  symlinkSync(join(place, path), join('/build/dest/usr/bin', basename(name)))
}
const depends = Object.keys(project.dependencies ?? {}).map((name) => `node-${name.replace(/^@/, '').replace('/', '-').replaceAll('_', '-').toLowerCase()}`)
appendFileSync('/build/depends', `${['nodejs', ...depends].join('\n')}\n`)

function binOf() {
  return typeof project.bin === 'string' ? { [basename(project.name)]: project.bin } : project.bin ?? {}
}

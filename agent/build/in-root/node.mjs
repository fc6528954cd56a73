// Installs a Node project where Debian's Node looks for modules, and names what it requires by Debian's names.
// In the words of Node 12, which Debian 11 has.
import { execSync } from 'child_process'
import { appendFileSync, chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'fs'
import { basename, join, normalize } from 'path'
import { debianRelations } from './node-range.mjs'

const SRC = '/build/src'
const project = JSON.parse(readFileSync(join(SRC, 'package.json'), 'utf8'))
if (typeof project.name !== 'string' || !/^(@[a-z0-9._-]+\/)?[a-z0-9][a-z0-9._-]*$/i.test(project.name)) {
  console.error('package.json has no name that a package can have')
  process.exit(1)
}
const scripts = project.scripts || {}
if (scripts.build !== undefined) execSync(scripts.build, { cwd: SRC, stdio: 'inherit', shell: '/bin/sh' })
const bins = binOf()
const place = join('/usr/share/nodejs', project.name)
const into = join('/build/dest', place)
mkdirSync(into, { recursive: true })
const wanted = Array.isArray(project.files) ? ['package.json', ...mains(), ...Object.values(bins), ...project.files] : null
const takes = (wanted || []).filter((one) => !one.startsWith('!')).map(matcher)
const leaves = (wanted || []).filter((one) => one.startsWith('!')).map((one) => matcher(one.slice(1)))
copy('')

mkdirSync('/build/dest/usr/bin', { recursive: true })
for (const [name, path] of Object.entries(bins)) {
  if (!existsSync(join(into, path))) {
    console.error(`package.json says that the program ${name} is ${path}, and there is no such file`)
    process.exit(1)
  }
  chmodSync(join(into, path), 0o755)
  symlinkSync(join(place, path), join('/build/dest/usr/bin', basename(name)))
}

const depends = debianRelations('nodejs', (project.engines || {}).node, { plain: true })
for (const [name, range] of Object.entries(project.dependencies || {})) {
  depends.push(...debianRelations(`node-${name.replace(/^@/, '').replace('/', '-').replace(/_/g, '-').toLowerCase()}`, range, {}))
  // What is imported is looked for from the module's own folder upwards, and nowhere else.
  const link = join(into, 'node_modules', name)
  mkdirSync(join(link, '..'), { recursive: true })
  symlinkSync(join('/usr/share/nodejs', name), link)
}
appendFileSync('/build/depends', `${depends.join('\n')}\n`)

/** Copies a folder's files that belong to the package. */
function copy(folder) {
  for (const name of readdirSync(join(SRC, folder)).sort()) {
    const path = join(folder, name)
    if (/^(node_modules|\.git.*)$/.test(name)) continue
    const found = lstatSync(join(SRC, path))
    if (found.isDirectory()) {
      copy(path)
      continue
    }
    if (wanted !== null && !(takes.some((one) => one(path)) && !leaves.some((one) => one(path)))) continue
    mkdirSync(join(into, folder), { recursive: true })
    if (found.isSymbolicLink()) symlinkSync(readlinkSync(join(SRC, path)), join(into, path))
    else copyFileSync(join(SRC, path), join(into, path))
  }
}

/** Whether a path is what an entry of `files` names: a file, a folder with all in it, or a pattern. */
function matcher(entry) {
  const plain = normalize(entry).replace(/^\/+/, '').replace(/\/+$/, '')
  const parts = plain.split(/(\*\*\/?|\*|\?)/).map((part) => ({ '**': '.*', '**/': '(.*/)?', '*': '[^/]*', '?': '[^/]' }[part] || part.replace(/[\\^$.|+()[\]{}]/g, '\\$&')))
  const whole = plain === '.' ? /^/ : new RegExp(`^${parts.join('')}(/|$)`)
  return (path) => whole.test(path)
}

/** What `main` may stand for. */
function mains() {
  const main = project.main || 'index.js'
  return [main, `${main}.js`, `${main}.cjs`, `${main}.json`]
}

function binOf() {
  return typeof project.bin === 'string' ? { [basename(project.name)]: project.bin } : project.bin || {}
}

/** `npm run bench [-- NAME...]`: runs the benchmarks of this folder one after another, or those that are named. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const BENCHES: Readonly<Record<string, string>> = {
  cel: 'how long an expression of a rule takes',
  compile: '`crowbar plan` and `crowbar diff` of 1,000 and 10,000 nodes with ten roles each, and what starting takes',
  proxy: 'the caching proxy beside apt-cacher-ng and squid',
}

const asked = process.argv.slice(2)
const unknown = asked.find((name) => !Object.hasOwn(BENCHES, name))
for (const [name, what] of Object.entries(BENCHES)) console.log(`${name.padEnd(8)} ${what}`)
if (unknown !== undefined) {
  console.error(`there is no benchmark ${unknown}`)
  process.exitCode = 64
} else {
  for (const name of asked.length === 0 ? Object.keys(BENCHES) : asked) {
    console.log(`\n${name}`)
    const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(`${name}.ts`, import.meta.url))], { stdio: 'inherit' })
    if (status !== 0) process.exitCode = 1
  }
}

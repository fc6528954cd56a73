/** Puts random objects into a store for as long as it lives: to be killed in the middle. `put-forever.ts STORE` */
import { randomBytes } from 'node:crypto'
import { openStore } from '../../../agent/stage/store.ts'

const store = await openStore(process.argv[2] ?? '')
process.stdout.write('up\n')
const one = async (): Promise<never> => {
  for (;;) {
    const { hash } = await store.put(randomBytes(1 + Math.floor(Math.random() * 400_000)))
    await store.refer(`set/${hash.slice(7, 8)}`, hash)
  }
}
await Promise.all([one(), one(), one()])

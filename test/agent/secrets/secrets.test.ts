import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as age from 'age-encryption'
import { afterAll, describe, expect, test } from 'vitest'
import { checkSecrets } from '../../../agent/secrets/check-secrets.ts'
import { openSecrets } from '../../../agent/secrets/open-secrets.ts'
import type { SecretsOptions } from '../../../agent/secrets/open-secrets.ts'
import { readIdentity } from '../../../agent/secrets/read-identity.ts'
import { standIns } from '../../../agent/secrets/stand-ins.ts'
import { agentKey } from '../../../agent/log/agent-key.ts'
import { SiteError } from '../../../agent/site/site-error.ts'
import { encrypt } from '../../../compiler/cli/secret/encrypt.ts'
import { readIdentities } from '../../../schemas/age.ts'
import type { Identities } from '../../../schemas/age.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Json } from '../../../schemas/shape.ts'
import { changesOf, planOf, step } from '../engine/build-work.ts'

const CANARY = 'canary-5f1d0c-value'
const signal = new AbortController().signal
const key = await age.generateX25519Identity()
const identities = (await readIdentities(`# mine\n${key}\n`)) as Identities
const other = (await readIdentities(await age.generateX25519Identity())) as Identities
const file = async (path: string, version: string, value = CANARY, recipients = identities.recipients): Promise<Buffer> => Buffer.from(await encrypt(value, { path, version, recipients }))

type Files = Readonly<Record<string, Buffer>>
/** A clone that has these commits and no others. */
const clone = (commits: Readonly<Record<string, Files>>): SecretsOptions['site'] => ({
  readBytes: (commit) => {
    const files = commits[commit]
    return files === undefined ? Promise.reject(new SiteError('SITE_GIT_FAILED', `no commit ${commit}`)) : Promise.resolve(new Map(Object.entries(files)))
  },
})
const ask = (secrets: ReturnType<typeof openSecrets>, version: string, commits = ['c2', 'c1']) => secrets.value({ secret: 'db/root', version }, { commits, signal })

describe('a secret of a commit', () => {
  test('is the value of exactly the version that is asked for, current or former', async () => {
    const secrets = openSecrets({ identities, site: clone({ c2: { 'secrets/db/root.age': await file('db/root', '4-aa', 'four'), 'secrets/db/root@3-bb.age': await file('db/root', '3-bb', 'three') } }) })
    expect(await ask(secrets, '4-aa')).toEqual({ kind: 'found', value: 'four' })
    expect(await ask(secrets, '3-bb')).toEqual({ kind: 'found', value: 'three' })
    expect(await ask(secrets, '2-cc', ['c2'])).toMatchObject({ kind: 'missing', code: 'SECRET_MISSING', message: 'the secret db/root (2-cc) is not in the repository: no secrets/db/root.age of that version is in c2' })
  })

  test('is looked for in the commit that a step was done from when the newer one has it no longer', async () => {
    const secrets = openSecrets({ identities, site: clone({ c2: {}, c1: { 'secrets/db/root.age': await file('db/root', '1-aa') } }) })
    expect(await ask(secrets, '1-aa')).toEqual({ kind: 'found', value: CANARY })
    expect(await ask(openSecrets({ identities, site: clone({ c2: {} }) }), '1-aa')).toMatchObject({ code: 'SECRET_MISSING' })
  })

  test('is not another secret that somebody put in its place', async () => {
    const secrets = openSecrets({ identities, site: clone({ c2: { 'secrets/db/root.age': await file('motd', '1-aa') } }) })
    expect(await ask(secrets, '1-aa', ['c2'])).toMatchObject({ code: 'SECRET_MISSING' })
  })

  test('that cannot be decrypted says why, and nothing of any key or value', async () => {
    const theirs = { 'secrets/db/root.age': await file('db/root', '1-aa', CANARY, other.recipients) }
    const damaged = Buffer.from((await file('db/root', '1-aa')).toString().replace(/.{20}\n-----END/, 'AAAAAAAAAAAAAAAAAAAA\n-----END'))
    const relabelled = Buffer.from(age.armor.encode(Buffer.from(Buffer.from(age.armor.decode((await file('db/root', '1-ab')).toString())).toString('latin1').replace('1-ab', '1-aa'), 'latin1')))
    const messages = await Promise.all([
      ask(openSecrets({ identities, site: clone({ c2: theirs }) }), '1-aa', ['c2']),
      ask(openSecrets({ identities, site: clone({ c2: { 'secrets/db/root.age': damaged } }) }), '1-aa', ['c2']),
      ask(openSecrets({ identities, site: clone({ c2: { 'secrets/db/root.age': relabelled } }) }), '1-aa', ['c2']),
      ask(openSecrets({ identities: null, site: clone({ c2: theirs }) }), '1-aa', ['c2']),
    ])
    expect(messages).toEqual([
      { kind: 'missing', code: 'SECRET_UNDECRYPTABLE', message: `the secret db/root (1-aa) cannot be decrypted: it is not encrypted for ${identities.recipients[0]}` },
      { kind: 'missing', code: 'SECRET_UNDECRYPTABLE', message: 'the secret db/root (1-aa) cannot be decrypted: the file is damaged' },
      { kind: 'missing', code: 'SECRET_UNDECRYPTABLE', message: 'the secret db/root (1-aa) cannot be decrypted: the file is damaged' },
      { kind: 'missing', code: 'SECRETS_NO_IDENTITY', message: 'the secret db/root (1-aa) is wanted, and this agent has no `identity` in its configuration' },
    ])
  })
})

describe('before a run starts', () => {
  const deferred = (secret: string, version = '1-aa'): Json => ({ deferred: { type: 'string', expression: '${value}', scope: {}, inputs: { value: { secret, version } }, sensitive: true } })
  const url: Json = { deferred: { type: 'string', expression: 'x${wants.p}', scope: { wants: { p: deferred('inner') } }, inputs: {}, sensitive: true } }
  const roles = [step({ id: 'd/a@n1', document: { w: { p: deferred('db/root') } } }), step({ id: 'd/b@n1', document: { w: [url, deferred('db/root')] } }), step({ id: 'd/c@n1', document: { w: 1 } })]
  const plan = planOf(roles)
  const work = { plan, changes: changesOf(plan), commit: 'c2' }

  test('every secret of its steps is looked for, derived ones too, and all that are missing are named at once', async () => {
    const secrets = openSecrets({ identities, site: clone({ c2: {} }) })
    expect(await checkSecrets(roles, work, { secrets, ledger: EMPTY_LEDGER, signal })).toEqual({
      code: 'SECRETS_MISSING', step: 'd/a@n1',
      message: 'the secret db/root (1-aa) is not in the repository: no secrets/db/root.age of that version is in c2; d/a@n1 wants it. the secret inner (1-aa) is not in the repository: no secrets/inner.age of that version is in c2; d/b@n1 wants it',
    })
    const there = openSecrets({ identities, site: clone({ c2: { 'secrets/db/root.age': await file('db/root', '1-aa'), 'secrets/inner.age': await file('inner', '1-aa') } }) })
    expect(await checkSecrets(roles, work, { secrets: there, ledger: EMPTY_LEDGER, signal })).toBeUndefined()
    expect(await checkSecrets(roles.slice(2), work, { secrets, ledger: EMPTY_LEDGER, signal })).toBeUndefined()
  })

  test('what undoes a step is given the secret of the commit that the step was done from', async () => {
    const ledger = { ...EMPTY_LEDGER, nodes: { n1: { version: 1, node: 'n1', machine: 'm', incarnation: null, attempted: {}, steps: { 'd/a@n1': { commit: 'c1' } } } } } as unknown as Ledger
    const secrets = openSecrets({ identities, site: clone({ c2: {}, c1: { 'secrets/db/root.age': await file('db/root', '1-aa') } }) })
    expect(await checkSecrets([step({ id: 'd/a@n1#remove', attributes: roles[0]?.attributes ?? null })], work, { secrets, ledger, signal })).toBeUndefined()
  })
})

test('a rehearsal’s made-up values stay the same for a version, and differ for another', async () => {
  const made = standIns(agentKey(new Uint8Array(32)))
  const value = async (version: string): Promise<string> => {
    const found = await made.value({ secret: 'db/root', version }, { commits: [], signal })
    return found.kind === 'found' ? found.value : ''
  }
  expect(await value('1-aa')).toMatch(/^[0-9a-f]{32}$/)
  expect(await value('1-aa')).toBe(await value('1-aa'))
  expect(await value('1-aa')).not.toBe(await value('2-aa'))
})

describe('the agent’s identity', () => {
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-identity-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const written = (text: string, mode = 0o600): string => {
    const path = join(folder, 'identity.age')
    rmSync(path, { force: true })
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  test('is read when it is its owner’s alone', async () => {
    expect((await readIdentity(written(`# public key: …\n${key}\n`))).recipients).toEqual(identities.recipients)
  })

  test.each([['others can read it', 0o644, 'chmod 600'], ['its group can', 0o640, 'chmod 600']])('is refused when %s', async (_, mode, message) => {
    await expect(readIdentity(written(key, mode))).rejects.toThrow(message)
  })

  test.runIf(process.getuid?.() === 0)('is refused when it is another user’s', async () => {
    const path = written(key)
    chownSync(path, 1, 1)
    await expect(readIdentity(path)).rejects.toThrow('belongs to another user (1)')
  })

  test('is refused when it is none, without repeating it', async () => {
    for (const [text, message] of [['', 'holds no key'], ['AGE-SECRET-KEY-1QQQQ', 'damaged'], ['hunter2', 'key 1 in it is no age identity']] as const) {
      const failed = await readIdentity(written(text)).catch((error: unknown) => String(error))
      expect(failed).toContain(message)
      expect(failed).not.toContain('hunter2')
      expect(failed).not.toContain('QQQQ')
    }
    await expect(readIdentity(join(folder, 'nothing'))).rejects.toThrow('crowbar secret identity')
  })
})

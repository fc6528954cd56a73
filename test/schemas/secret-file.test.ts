import * as age from 'age-encryption'
import { expect, test } from 'vitest'
import { labelArguments, readLabel, SECRET_PATH, shownVersion, shownVersions } from '../../schemas/secret-file.ts'
import fc from '../property.ts'

const recipient = await age.identityToRecipient(await age.generateX25519Identity())
const encrypt = async (label: Parameters<typeof labelArguments>[0]): Promise<Uint8Array> => {
  const encrypter = new age.Encrypter()
  for (const each of label.recipients) encrypter.addRecipient(each)
  encrypter.addRecipient({ wrapFileKey: () => [new age.Stanza([...labelArguments(label)], new Uint8Array(0))] })
  return encrypter.encrypt('hunter2')
}

test('the label of an age file is read without a key, armored or not, with any line ends', async () => {
  const label = { path: 'database/root', version: '4-8f3a9c1d2b', recipients: Array<string>(20).fill(recipient) }
  const file = await encrypt(label)
  const armored = age.armor.encode(file)
  for (const form of [file, Buffer.from(armored), Buffer.from(armored.replaceAll('\n', '\r\n')), Buffer.from(`\n${armored}`)]) expect(readLabel(form)).toEqual(label)
})

test('a file with the marks of an unfinished merge has no label', async () => {
  const [ours, theirs] = await Promise.all(['2-aa', '2-bb'].map(async (version) => age.armor.encode(await encrypt({ path: 'a', version, recipients: [recipient] }))))
  expect(readLabel(Buffer.from((ours ?? '').replace('\n', `\n<<<<<<< HEAD\n`).replace('-----END', `=======\n${theirs?.split('\n')[1]}\n>>>>>>> b\n-----END`)))).toBeUndefined()
})

test('a file without a label has none, whatever is in it', async () => {
  const encrypter = new age.Encrypter()
  encrypter.addRecipient(recipient)
  expect(readLabel(await encrypter.encrypt('-> crowbar a 1-aa'))).toBeUndefined()
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readLabel(bytes) === undefined))
  expect(readLabel(Buffer.from('age-encryption.org/v1\n--- mac\n-> crowbar a 1-aa\n'))).toBeUndefined()
})

test('versions are short for people, and in full where the numbers are the same', () => {
  expect(shownVersion('4-8f3a9c1d2b')).toBe('v4')
  expect(shownVersions('3-8f3a9c1d2b', '4-00000000aa')).toEqual(['v3', 'v4'])
  expect(shownVersions('4-8f3a9c1d2b', '4-00000000aa')).toEqual(['v4-8f3a9c1d2b', 'v4-00000000aa'])
  expect(shownVersion('2026-spring')).toBe('v2026-spring')
})

test.each(['a', 'database/root', 'a.b/c-d/_e', '0/1'])('%s is a path', (path) => expect(path).toMatch(new RegExp(SECRET_PATH)))
test.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', '.a', 'a/.b', 'a b', 'a@1', 'a\n', '-a'])('%j is no path', (path) => expect(path).not.toMatch(new RegExp(SECRET_PATH)))

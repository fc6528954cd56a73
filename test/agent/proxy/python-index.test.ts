import { expect, test } from 'vitest'
import { pythonIndex } from '../../../agent/proxy/registry/python-index.ts'

const SHA256 = '9f'.repeat(32)
const JSON_TYPE = 'application/vnd.pypi.simple.v1+json'
const INDEX_URL = 'http://example.com/simple/crane/'

function files(index: string): Record<string, string> {
  return Object.fromEntries([...pythonIndex.read(Buffer.from(index), 'crane', INDEX_URL).files].map(([name, { url }]) => [name, url]))
}

test('an attribute is what its own name says, whatever stands in the others, and of two the first', () => {
  expect(files(`<a data-v1="old href=evil" HREF='crane-1.0.tar.gz#sha256=${SHA256}' data-v2='see href="evil"' href="crane-2.0.tar.gz#sha256=${SHA256}">crane-1.0.tar.gz</a>`)).toEqual({ 'crane-1.0.tar.gz': 'http://example.com/simple/crane/crane-1.0.tar.gz' })
  expect(files(`<a data-x1="href=evil" href="crane-1.0.tar.gz#sha256=${SHA256}" data-x2="href=evil.tar.gz#sha256=${SHA256}">`)).toEqual({ 'crane-1.0.tar.gz': 'http://example.com/simple/crane/crane-1.0.tar.gz' })
  expect(files(`<A HREF=crane-1.0.tar.gz#sha256=${SHA256}&amp;egg=&constructor;x>`)).toEqual({ 'crane-1.0.tar.gz': 'http://example.com/simple/crane/crane-1.0.tar.gz' })
})

test('a file has the name at the end of its URL, whatever the words of its link are', () => {
  expect(files(`<base href="/pool/"><a href="crane-1.0%2Bcu118.tar.gz?x=1#sha256=${SHA256}"><b>Download</b></a><a href="crane-2.0.tar.gz#sha256=${SHA256}">Download</a>`)).toEqual({ 'crane-1.0+cu118.tar.gz': 'http://example.com/pool/crane-1.0%2Bcu118.tar.gz?x=1', 'crane-2.0.tar.gz': 'http://example.com/pool/crane-2.0.tar.gz' })
})

test('an empty reason says that a file was not yanked, and true that it was', () => {
  const index = (yanked: unknown): Buffer => Buffer.from(JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'crane', files: [{ filename: 'crane-1.0.tar.gz', url: 'x', hashes: { sha256: SHA256 }, yanked }] }))
  const told = (yanked: unknown): unknown => (JSON.parse(pythonIndex.write(index(yanked), 'crane', { url: INDEX_URL, base: 'http://admin/', contentType: JSON_TYPE }).toString()) as { files: { yanked: unknown }[] }).files[0]?.yanked
  expect(['', false, null, true, 'broken'].map(told)).toEqual([false, false, false, true, 'broken'])
})

test('the index of another project, and a page to sign in at, are no index; an empty one is', () => {
  expect(() => files(JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'other', files: [] }))).toThrow('it is the index of "other"')
  expect(() => files('<!DOCTYPE html><html><body><a href="/help">Help</a><form action="/login"><input name="user"></form></body></html>')).toThrow('it is no index of a project')
  expect(files('<!DOCTYPE html><html><head><title>Links for crane</title></head><body></body></html>')).toEqual({})
  expect(pythonIndex.read(Buffer.from(JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'Crane', files: [] })), 'crane', INDEX_URL).files.size).toBe(0)
})

test('a page of nothing but tags or attributes takes neither all memory nor all time', () => {
  expect(() => files(`<html>${'<a>'.repeat(1_500_000)}`)).toThrow('it has too many tags')
  expect(() => files(`{"meta":{"api-version":"1.0"},"files":[${'0,'.repeat(600_000)}0]}`)).toThrow('it has too many files')
  expect(files(`<html>${`<a ${'b '.repeat(400_000)}href="crane-1.0.tar.gz#sha256=${SHA256}">`.repeat(4)}`)).toEqual({})
})

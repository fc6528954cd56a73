import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { readElfNeeds } from '../../../../agent/image/discovery/elf-needs.ts'

test('the running Node names its loader and the C library', async () => {
  const needs = readElfNeeds(await readFile(process.execPath))
  expect(needs?.interpreter).toMatch(/^\/lib(64)?\/ld-linux-[a-z0-9_-]+\.so\.\d$/)
  expect(needs?.libraries).toEqual(expect.arrayContaining(['libc.so.6', 'libm.so.6', 'libstdc++.so.6']))
})

test('a script and an empty file need nothing', () => {
  expect(readElfNeeds(Buffer.from('#!/bin/sh\n'))).toBeUndefined()
  expect(readElfNeeds(Buffer.alloc(0))).toBeUndefined()
})

test('another class of ELF is refused', () => {
  const elf32 = Buffer.alloc(64)
  elf32.set([0x7f, 0x45, 0x4c, 0x46, 1, 1])
  expect(() => readElfNeeds(elf32)).toThrow(expect.objectContaining({ code: 'ELF_UNREADABLE' }))
})

test('a file that was cut short is refused, wherever it was cut', async () => {
  const whole = await readFile(process.execPath)
  for (const length of [4, 20, 63, 100]) {
    expect(() => readElfNeeds(whole.subarray(0, length)), String(length)).toThrow(expect.objectContaining({ code: 'ELF_UNREADABLE' }))
  }
})

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readElfNeeds } from '../../../../agent/image/discovery/elf-needs.ts'
import { addPath, addProgram, fileAt } from '../../../../agent/image/discovery/package-tree.ts'
import type { ImageEntries } from '../../../../agent/image/discovery/package-tree.ts'

let tree: string
let entries: ImageEntries
beforeEach(async () => {
  tree = await mkdtemp(join(tmpdir(), 'crowbar-tree-'))
  entries = new Map()
})
afterEach(() => rm(tree, { recursive: true, force: true }))

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(tree, path)), { recursive: true })
  await writeFile(join(tree, path), text, { mode })
}

test('a program is found where packages put programs, and moves to usr', async () => {
  await put('sbin/tool', '#!/bin/sh\n', 0o755)
  await addProgram(entries, tree, 'tool')
  expect([...entries.values()]).toMatchObject([{ kind: 'file', path: 'usr/sbin/tool', mode: 0o755 }])
})

test('a link comes with what it points to', async () => {
  await put('sbin/mke2fs', '#!/bin/sh\n', 0o755)
  await mkdir(join(tree, 'usr/sbin'), { recursive: true })
  await symlink('mke2fs', join(tree, 'sbin/mkfs.ext4'))
  await symlink('/sbin/mke2fs', join(tree, 'usr/sbin/absolute'))
  await addProgram(entries, tree, 'mkfs.ext4')
  await addProgram(entries, tree, 'absolute')
  expect([...entries.values()]).toMatchObject([
    { kind: 'link', path: 'usr/sbin/mkfs.ext4', target: '/usr/sbin/mke2fs' }, { kind: 'file', path: 'usr/sbin/mke2fs' },
    { kind: 'link', path: 'usr/sbin/absolute', target: '/usr/sbin/mke2fs' },
  ])
})

test('a file is what its links lead to in the tree, whatever this machine has at the same place', async () => {
  await put('boot/ipxe.efi', 'of the package')
  await mkdir(join(tree, 'usr/lib/ipxe'), { recursive: true })
  await symlink('/boot/ipxe.efi', join(tree, 'usr/lib/ipxe/ipxe.efi'))
  await symlink('../../lib/ipxe/ipxe.efi', join(tree, 'usr/lib/ipxe/twice'))
  await symlink('/etc/passwd', join(tree, 'outside'))
  await symlink('round', join(tree, 'round'))
  expect(await readFile(await fileAt(tree, 'usr/lib/ipxe/twice'), 'utf8')).toBe('of the package')
  for (const path of ['outside', 'round', 'missing']) await expect(fileAt(tree, path)).rejects.toMatchObject({ code: 'IMAGE_FILE_MISSING' })
})

test('a program comes with its loader and libraries, and theirs', async () => {
  const needs = readElfNeeds(await readFile(process.execPath))
  await mkdir(join(tree, 'usr/bin'), { recursive: true })
  await cp(process.execPath, join(tree, 'usr/bin/node'))
  await put(needs?.interpreter?.slice(1) ?? '', 'loader', 0o755)
  for (const library of needs?.libraries ?? []) await put(`lib/x86_64-linux-gnu/${library}.real`, 'library')
  for (const library of needs?.libraries ?? []) await symlink(`${library}.real`, join(tree, `lib/x86_64-linux-gnu/${library}`))
  await addProgram(entries, tree, 'node')
  expect([...entries.keys()]).toEqual(expect.arrayContaining([
    'usr/bin/node', `usr${needs?.interpreter ?? ''}`, 'usr/lib/x86_64-linux-gnu/libc.so.6', 'usr/lib/x86_64-linux-gnu/libc.so.6.real',
  ]))
})

test('a program or library that no package has is an error that names it', async () => {
  await expect(addProgram(entries, tree, 'sfdisk')).rejects.toMatchObject({ code: 'IMAGE_FILE_MISSING', data: { program: 'sfdisk' } })
  await expect(addPath(entries, tree, 'etc/mke2fs.conf')).rejects.toMatchObject({ code: 'IMAGE_FILE_MISSING', data: { path: 'etc/mke2fs.conf' } })
  await mkdir(join(tree, 'usr/bin'), { recursive: true })
  await cp(process.execPath, join(tree, 'usr/bin/node'))
  await expect(addProgram(entries, tree, 'node')).rejects.toMatchObject({ code: 'IMAGE_FILE_MISSING' })
})

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from '../../../compiler/parse/parse.ts'
import { readFolder } from '../../../compiler/tree/folder.ts'
import { readCommit } from '../../../compiler/tree/git.ts'
import { readCommitWithoutGit } from '../../../compiler/tree/isomorphic.ts'
import { assemble } from '../../../compiler/tree/listing.ts'
import { readTree } from '../../../compiler/tree/read.ts'
import type { Tree } from '../../../compiler/tree/tree.ts'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'

let folder: string
const environment = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_DIR: '/nonexistent', GIT_WORK_TREE: '/nonexistent' }

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-tree-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function put(path: string, text = path, mode = 0o644): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
  chmodSync(join(folder, path), mode)
}

function git(...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: folder, encoding: 'utf8' }).trim()
}

function commit(): string {
  git('init', '--quiet', '--initial-branch=main')
  git('add', '-A')
  git('commit', '--quiet', '-m', 'x')
  return git('rev-parse', 'HEAD')
}

/** Every file as `path mode text`. */
function content(tree: Tree): readonly string[] {
  return [...tree.files].map(([path, file]) => `${path} ${file.mode} ${new TextDecoder().decode(file.bytes())}`)
}

function collect(): { readonly codes: () => readonly string[]; readonly report: (diagnostic: Diagnostic) => void } {
  const found: Diagnostic[] = []
  return { codes: () => found.map(({ code, severity, range }) => `${severity} ${code} ${range?.path}`), report: (diagnostic) => void found.push(diagnostic) }
}

describe('the same files give the same tree', () => {
  test('from a folder, with git and without it, in code point order', async () => {
    for (const path of ['site.yaml', 'b/run.sh', 'b.yaml', 'a/é.yaml', 'a/z.yaml', 'Z.yaml', '.github/x.yaml', 'node_modules/p/index.js', 'empty']) put(path, path === 'empty' ? '' : path, path.endsWith('.sh') ? 0o755 : 0o644)
    put('large.bin', 'x'.repeat(3 * 1024 * 1024))
    symlinkSync('../b/run.sh', join(folder, 'a', 'link'))
    const id = commit()
    const [fromFolder, fromGit, withoutGit] = [readFolder(folder, () => {}), readCommit(folder, 'HEAD', { environment, report: () => {} }), await readCommitWithoutGit(folder, 'main', () => {})]
    expect([...fromFolder.files.keys()]).toEqual(['.github/x.yaml', 'Z.yaml', 'a/link', 'a/z.yaml', 'a/é.yaml', 'b.yaml', 'b/run.sh', 'empty', 'large.bin', 'site.yaml'])
    expect(content(fromFolder)[2]).toBe('a/link 0755 b/run.sh')
    expect(content(fromGit)).toEqual(content(fromFolder))
    expect(content(withoutGit)).toEqual(content(fromFolder))
    expect([fromFolder.commit, fromGit.commit, withoutGit.commit]).toEqual([null, id, id])
  })

  test('from a folder inside a repository, and from a bare one', async () => {
    put('sites/one/site.yaml')
    put('other.yaml')
    const id = commit()
    expect([...readCommit(join(folder, 'sites/one'), 'main', { environment, report: () => {} }).files.keys()]).toEqual(['site.yaml'])
    expect([...(await readCommitWithoutGit(join(folder, 'sites/one'), id, () => {})).files.keys()]).toEqual(['site.yaml'])
    git('clone', '--quiet', '--bare', '.', 'bare.git')
    const bare = await readTree({ site: join(folder, 'bare.git'), ref: undefined, environment }, () => {})
    expect([bare.commit, ...bare.files.keys()]).toEqual([id, 'other.yaml', 'sites/one/site.yaml'])
  })

  test('whether or not it is committed, a folder is read as it is', async () => {
    put('a.yaml')
    commit()
    put('b.yaml')
    expect([...(await readTree({ site: folder, ref: undefined, environment }, () => {})).files.keys()]).toEqual(['a.yaml', 'b.yaml'])
    expect([...(await readTree({ site: folder, ref: 'HEAD', environment }, () => {})).files.keys()]).toEqual(['a.yaml'])
  })
})

describe('what is typed is never taken for an option', () => {
  test.each(['--help', '-h', '--output=/tmp/x', 'nope', 'HEAD:a.yaml', '', '@{u}', 'a b', '$(id)'])('%j', (revision) => {
    put('a.yaml')
    commit()
    expect(() => readCommit(folder, revision, { environment, report: () => {} })).toThrow(expect.objectContaining({ code: 'REVISION_UNKNOWN' }))
  })

  test('and the other reader does not know them either', async () => {
    put('a.yaml')
    commit()
    await expect(readCommitWithoutGit(folder, '../../HEAD', () => {})).rejects.toMatchObject({ code: 'REVISION_UNKNOWN' })
    await expect(readCommitWithoutGit(join(tmpdir()), 'HEAD', () => {})).rejects.toMatchObject({ code: 'GIT_FAILED' })
  })

  test('a folder that is none has a code', async () => {
    await expect(readTree({ site: join(folder, 'nowhere'), ref: undefined, environment }, () => {})).rejects.toMatchObject({ code: 'FOLDER_UNREADABLE' })
    expect(() => readCommit(folder, 'HEAD', { environment, report: () => {} })).toThrow(expect.objectContaining({ code: 'GIT_FAILED' }))
  })
})

describe('links', () => {
  test('that lead out are errors and lead nowhere', () => {
    const { codes, report } = collect()
    put('a.yaml')
    mkdirSync(join(folder, 'd'))
    for (const [name, target] of [['absolute', '/etc/passwd'], ['up', '../x'], ['d/up', '../../x'], ['round', 'd/../../x'], ['self', 'self'], ['gone', 'nothing'], ['d/in', '../a.yaml'], ['chain', 'd/in'], ['chained-out', 'up']] as const) symlinkSync(target, join(folder, name))
    const tree = readFolder(folder, report)
    expect([...tree.files.keys()]).toEqual(['a.yaml', 'chain', 'd/in'])
    expect(codes()).toEqual([
      'error TREE_LINK_OUTSIDE absolute', 'error TREE_LINK_OUTSIDE chained-out', 'error TREE_LINK_OUTSIDE d/up', 'warning TREE_LINK_DANGLING gone',
      'error TREE_LINK_OUTSIDE round', 'warning TREE_LINK_DANGLING self', 'error TREE_LINK_OUTSIDE up',
    ])
  })

  test('to folders bring what is in them, and cannot go round in circles', () => {
    const { codes, report } = collect()
    put('common/x.sh')
    mkdirSync(join(folder, 'b'))
    symlinkSync('../common', join(folder, 'b', 'common'))
    symlinkSync('..', join(folder, 'b', 'loop'))
    symlinkSync('.', join(folder, 'common', 'loop'))
    expect([...readFolder(folder, report).files.keys()]).toEqual(['b/common/x.sh', 'common/x.sh'])
    expect(codes()).toEqual(['warning TREE_LINK_DANGLING b/loop', 'warning TREE_LINK_DANGLING common/loop'])
  })

  test('are the same in a commit', () => {
    const { codes, report } = collect()
    put('a.yaml')
    symlinkSync('../../etc/passwd', join(folder, 'out'))
    commit()
    expect([...readCommit(folder, 'HEAD', { environment, report }).files.keys()]).toEqual(['a.yaml'])
    expect(codes()).toEqual(['error TREE_LINK_OUTSIDE out'])
  })
})

describe('what is no file of a site', () => {
  test('repositories inside, pipes and devices are left out with a warning', () => {
    const { codes, report } = collect()
    put('sub/.git/HEAD')
    put('sub/x.yaml')
    execFileSync('mkfifo', [join(folder, 'pipe')])
    expect([...readFolder(folder, report).files.keys()]).toEqual([])
    expect(codes().toSorted()).toEqual(['warning TREE_SPECIAL_FILE pipe', 'warning TREE_SUBMODULE sub'])
  })

  test('submodules of a commit too', () => {
    const { codes, report } = collect()
    put('a.yaml')
    const id = commit()
    git('update-index', '--add', '--cacheinfo', `160000,${id},sub`)
    git('commit', '--quiet', '-m', 'sub')
    expect([...readCommit(folder, 'HEAD', { environment, report }).files.keys()]).toEqual(['a.yaml'])
    expect(codes()).toEqual(['warning TREE_SUBMODULE sub'])
  })

  test('paths that could do harm are refused, and printed harmlessly', () => {
    const { codes, report } = collect()
    const file = { kind: 'file' as const, file: { mode: '0644' as const, size: 0, bytes: () => new Uint8Array() } }
    const paths = ['ok', '../up', 'a/../b', '/abs', 'a//b', 'x\u001b[31m', '.GIT/config', 'bad\ufffd']
    expect([...assemble(new Map(paths.map((path) => [path, file])), null, report).files.keys()]).toEqual(['ok'])
    expect(codes()).toEqual(['../up', '.GIT/config', '/abs', 'a/../b', 'a//b', 'bad\ufffd', 'x\\x1b[31m'].map((path) => `error TREE_PATH_INVALID ${path}`))
  })

  test('large files are refused unread, documents earlier than others', () => {
    const { codes, report } = collect()
    put('site.yaml', '')
    truncateSync(join(folder, 'site.yaml'), 9 * 1024 * 1024)
    put('image.bin', '')
    truncateSync(join(folder, 'image.bin'), 100 * 1024 * 1024)
    put('fine.bin', '')
    truncateSync(join(folder, 'fine.bin'), 9 * 1024 * 1024)
    put('.cache/huge', '')
    truncateSync(join(folder, '.cache/huge'), 1024 * 1024 * 1024 * 1024)
    parse(readFolder(folder, report), report)
    expect(codes()).toEqual(['error FILE_TOO_LARGE image.bin', 'error FILE_TOO_LARGE site.yaml'])
  })

  test('a file that cannot be read, or is no UTF-8, is reported where it is', () => {
    const found: Diagnostic[] = []
    put('a.yaml')
    writeFileSync(join(folder, 'latin1.yaml'), Buffer.from('a: 1\nb: \xe9\n', 'latin1'))
    writeFileSync(join(folder, 'utf16.yaml'), Buffer.from('\ufeffa: 1\n', 'utf16le'))
    writeFileSync(join(folder, 'bom.yaml'), '\ufeffkind: x\n')
    const tree = readFolder(folder, () => {})
    rmSync(join(folder, 'a.yaml'))
    const documents = parse(tree, (diagnostic) => found.push(diagnostic))
    expect(documents.map(({ path, value }) => [path, value])).toEqual([['bom.yaml', { kind: 'x' }]])
    expect(found.map(({ code, range }) => `${code} ${range?.path}:${range?.start.line}:${range?.start.column}`)).toEqual(['FILE_UNREADABLE a.yaml:1:1', 'FILE_NOT_UTF8 latin1.yaml:2:4', 'FILE_NOT_UTF8 utf16.yaml:1:1'])
  })
})

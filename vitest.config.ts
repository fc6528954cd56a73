import { defineConfig } from 'vitest/config'

/** What boots virtual machines, and so keeps all processors busy. */
const MACHINES = ['test/system/rehearsal.test.ts', 'test/system/approval.test.ts', 'test/system/boot/qemu.test.ts', 'test/system/image/*.test.ts']

/** What takes minutes and asks the same of every release, tool or builder. */
const THOROUGH = [
  'test/system/mirror.test.ts',
  'test/system/image/erase-stacks.test.ts',
  'test/system/jigs.test.ts',
  'test/system/barclamps.test.ts',
  'test/system/database.test.ts',
  'test/system/stage/closure.test.ts',
  'test/system/stage/signed-repository.test.ts',
  'test/system/from-source/*.test.ts',
  'test/system/bundle-machines.test.ts',
  'test/system/stage/proxy-clients.test.ts',
  'test/system/stage/registry-clients.test.ts',
]

/**
 * `quick` needs nothing but this checkout; `machines` and `system` need root, Debian packages and namespaces, `machines` QEMU
 * too. These two may run beside each other, but neither beside itself. `thorough` is like both, and no part of `npm test`.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // Where a test waits for something, a slow machine may take its time; one that waits in vain takes longer to say so.
    expect: { poll: { timeout: 30_000 } },
    projects: [
      { extends: true, test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: ['test/system/**'], testTimeout: 60_000 } },
      { extends: true, test: { name: 'machines', include: MACHINES, exclude: THOROUGH, fileParallelism: false, testTimeout: 900_000, hookTimeout: 900_000 } },
      { extends: true, test: { name: 'system', include: ['test/system/**/*.test.ts'], exclude: [...MACHINES, ...THOROUGH], fileParallelism: false, testTimeout: 900_000, hookTimeout: 900_000 } },
      { extends: true, test: { name: 'thorough', include: THOROUGH, fileParallelism: false, testTimeout: 900_000, hookTimeout: 900_000 } },
    ],
  },
})

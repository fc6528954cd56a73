import { defineConfig } from 'vitest/config'

/** `quick` needs nothing but this checkout; `system` needs root, Debian packages, namespaces and QEMU. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: ['test/system/**'], testTimeout: 20_000 } },
      { extends: true, test: { name: 'system', include: ['test/system/**/*.test.ts'], fileParallelism: false, testTimeout: 900_000, hookTimeout: 900_000 } },
    ],
  },
})

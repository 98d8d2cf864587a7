import { defineConfig } from 'vitest/config';

/** One file after the other: they share the machine's two or so CPUs, and some of them fill it. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.spec.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

import { defineConfig } from 'vitest/config';

/** The built agent as its own process, beside real programs: one file after the other, ends far beyond what a slow machine needs. */
export default defineConfig({
  cacheDir: '../../node_modules/.vite',
  test: {
    root: import.meta.dirname,
    include: ['*.spec.ts'],
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 90_000,
    teardownTimeout: 30_000,
  },
});

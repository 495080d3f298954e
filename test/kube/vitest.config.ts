import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/kube/**/*.kube.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    // A cold build of the control plane takes 9 minutes on two free cores.
    hookTimeout: 40 * 60_000,
  },
});

import { defineConfig } from 'vitest/config';
import { LongFirstSequencer } from './support/long-first-sequencer.ts';

const root = new URL('..', import.meta.url).pathname;

export default defineConfig({
  root,
  test: {
    include: ['test/**/*.test.ts'],
    // Native addons and signals need processes of their own; two keep two cores busy without starving timers.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 120_000,
    sequence: { sequencer: LongFirstSequencer },
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './test/parity/table-reporter.ts', './test/support/closing-line-reporter.ts'],
  },
});

import { describe, expect, it } from 'vitest';
import { costInNodes, filesLoadedBy } from '../../support/command-cost.ts';

describe('graft --help', () => {
  it('loads the definitions of the commands and no package but commander', async () => {
    const files = await filesLoadedBy(['--help']);
    const packages = new Set(files.filter((file) => !/^(services|file:)/.test(file)).map((file) => file.split('/')[0]));
    expect([...packages]).toEqual(['commander']);
    expect(files.filter((file) => /^services\/cli\/(?!commands\/)[a-z-]+\//.test(file)).sort()).toEqual([
      'services/cli/terminal/exit-codes.js',
      'services/cli/terminal/safe-stream.js',
      'services/cli/terminal/signals.js',
    ]);
  }, 60_000);

  it('takes at most six times the processor time of an empty Node', async () => {
    expect(await costInNodes(['--help'])).toBeLessThan(6);
  }, 60_000);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeFindings } from './checker.ts';
import { runChaos } from './run-chaos.ts';

it('ends with the record of the undisturbed sweep after twenty faults', { timeout: 400_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-chaos-test-'));
  const lines: string[] = [];
  const result = await runChaos({
    seed: 2,
    faultCount: 20,
    maxPauseMs: 1_500,
    limitMs: 60_000,
    size: { cached: 40, augmented: 20, fineTune: 6 },
    folder,
    say: (line) => lines.push(line),
  });
  // The folder is kept after a failure, for its logs.
  expect(result.violationCount, `${lines.join('\n')}\n${describeFindings(result.findings)}\n${folder}`).toBe(0);
  expect(result.faultsDone.length).toBeGreaterThanOrEqual(15);
  rmSync(folder, { recursive: true, force: true });
});

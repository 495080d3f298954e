import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CoordinatorProcess } from '../support/coordinator-process.ts';
import { measureWorst } from './worst.ts';

let folder: string;
let coordinator: CoordinatorProcess;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-worst-'));
  coordinator = await CoordinatorProcess.start(folder, { env: { GRAFT_LOG_LEVEL: 'error' } });
}, 120_000);
afterAll(async () => {
  await coordinator[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

it(
  'answers cheap calls while eight clients send the costliest requests within the limits',
  { timeout: 120_000 },
  async () => {
    const found = await measureWorst({ coordinator, seconds: 5, runCount: 2_000 });
    console.log(JSON.stringify(found));
    expect(found.leaderPolls).toBeGreaterThan(5);
    expect(found.leaderLost).toBe(0);
    expect(found.trainerState).toBe('READY');
    expect(Object.keys(found.cheap)).toEqual(['GetSweep', 'Heartbeat', 'LeaseTask']);
    // `npm run fuzz -- --worst` measures on a quiet machine; here other tests run too. Heartbeats are due every 10 s.
    for (const { count, max } of Object.values(found.cheap)) {
      expect(count).toBeGreaterThan(5);
      expect(max).toBeLessThan(5_000);
    }
    expect(Object.keys(found.hostile).filter((key) => /INTERNAL|UNKNOWN/.test(key))).toEqual([]);
    expect(found.hostile).toHaveProperty('PlanSweep OK');
  },
);

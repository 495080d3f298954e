import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../services/platform/net/free-port.ts';
import { nodeProgram } from '../../../services/platform/lifecycle/node-program.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness, SweepClient } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness({ retentionMs: 50 });
  trainer = await harness.trainer('t1', 1);
});
afterEach(() => harness[Symbol.asyncDispose]());

/**
 * Makes a call to another coordinator on the same database, which is killed at a point of it. The call has no answer.
 *
 * @param point name of a failpoint
 */
async function callKilledAt(point: string, call: (sweeps: SweepClient['call']) => Promise<unknown>): Promise<void> {
  const address = `127.0.0.1:${await freePort()}`;
  const { script, execArgv } = nodeProgram('coordinator/main');
  const child: ChildProcess = spawn(process.execPath, [...execArgv, script], {
    env: {
      ...process.env,
      DATABASE_URL: harness.databaseUrl,
      GRAFT_ARTIFACTS_DIR: harness.artifacts.root,
      GRAFT_COORDINATOR_LISTEN: address,
      GRAFT_LOG_LEVEL: 'silent',
      GRAFT_FAILPOINTS: `${point}=kill@1`,
      GRAFT_FAILPOINTS_ENABLED: '1',
    },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const client = createClient(SweepServiceService, { addresses: [address], retry: NO_RETRY });
  try {
    await expect
      .poll(
        () =>
          client.call.listSweeps({ pageSize: 1, pageToken: '' }).then(
            () => true,
            () => false,
          ),
        { timeout: 60_000 },
      )
      .toBe(true);
    await expect(call(client.call)).rejects.toThrow();
    expect((await exited)[1]).toBe('SIGKILL');
  } finally {
    client.close();
    child.kill('SIGKILL');
  }
}

async function count(table: string): Promise<number> {
  return Number((await harness.query<{ count: string }>(`SELECT count(*) FROM ${table}`))[0]?.count);
}

describe('a coordinator that is killed while a person steers', () => {
  it('leaves a sweep whole before the commit of its deletion, and deleted after it', { timeout: 120_000 }, async () => {
    const sweepId = await harness.submit(specOf());
    await trainer.workAll(300);
    await harness.coordinator.loops.passes(2);
    const tables = ['runs', 'tasks', 'epoch_metrics', 'checkpoints', 'events', 'feature_sets', 'test_predictions'];
    const before = await Promise.all(tables.map(count));
    const request = { sweepId, dryRun: false };
    await callKilledAt('steer.uncommitted', (sweeps) => sweeps.deleteSweep(request));
    expect(await Promise.all(tables.map(count))).toEqual(before);
    expect(await count('file_removals')).toBe(0);
    const planned = await harness.sweeps.deleteSweep({ ...request, dryRun: true });

    await callKilledAt('steer.committed', (sweeps) => sweeps.deleteSweep(request));
    expect(await Promise.all(tables.map(count))).toEqual(tables.map(() => 0));
    await harness.coordinator.loops.passes(2);
    const left = [];
    for await (const { uri } of harness.artifacts.list()) left.push(uri);
    expect(left.filter((uri) => !uri.startsWith('probes/'))).toEqual(['graft-store.json']);
    // The caller, who had no answer, gets the answer of the call that took effect.
    expect(await harness.sweeps.deleteSweep(request)).toEqual({
      ...planned,
      files: [],
      deleteTime: expect.any(Date) as Date,
    });
    expect(await count('deleted_sweeps')).toBe(1);
  });
});

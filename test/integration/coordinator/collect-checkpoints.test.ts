import { afterEach, expect, it } from 'vitest';
import { ArtifactMissingError, InvalidRequestError, NotFoundError } from '../../../services/core/errors.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { metricsOf } from './simulated-trainer.ts';

let harness: Harness | null = null;
afterEach(async () => {
  await harness?.[Symbol.asyncDispose]();
  harness = null;
});

const RATES = [0.1, 0.01, 0.001, 0.0001];
const EPOCHS = 2;
const SPEC = specOf({
  base: { backbone: 'vgg16', weights: 'random', image_size: 64, epochs: EPOCHS, method: 'cached' },
  parameters: [{ name: 'optimizer.learning_rate', domain: { kind: 'values', values: RATES }, conditions: [] }],
});

interface Stored {
  readonly run_id: string;
  readonly kind: string;
  readonly state: string;
  readonly uri: string;
}

async function checkpoints(of: Harness): Promise<Stored[]> {
  return of.query<Stored>('SELECT run_id, kind, state, uri FROM checkpoints ORDER BY run_id, kind, epoch');
}

/** Runs whose best checkpoint stays: the first two by validation loss, and what was tested (the winner and run 0). */
function keptRuns(runIds: readonly string[]): string[] {
  const lossOf = (runId: string): number => metricsOf({ runId }, 'HEAD', EPOCHS)['val_loss'] ?? Number.NaN;
  const best = runIds.toSorted((a, b) => lossOf(a) - lossOf(b)).slice(0, 2);
  return [...new Set([...best, runIds[0] ?? ''])].sort();
}

it('lists the checkpoints it would remove, removes them on request, and keeps the best and the tested ones', async () => {
  harness = await startHarness({ retentionMs: 3_600_000, env: { GRAFT_COORDINATOR_KEEP_BEST: '2' } });
  const trainer = await harness.trainer('t1');
  const sweepId = await harness.submit(SPEC);
  await trainer.workAll(2_000);
  const runIds = (await harness.query<{ run_id: string }>('SELECT run_id FROM runs ORDER BY run_index')).map(
    ({ run_id }) => run_id,
  );
  const before = await checkpoints(harness);
  // While they train, only the latest of each kind is kept.
  expect(before.filter(({ state }) => state === 'STORED').map(({ run_id, kind }) => `${run_id} ${kind}`)).toEqual(
    runIds.flatMap((runId) => [`${runId} BEST`, `${runId} LAST`]),
  );
  const kept = keptRuns(runIds);

  const request = { sweepId, keepBestCount: 0, dryRun: true };
  const found = await harness.sweeps.collectCheckpoints(request);
  const expected = runIds.flatMap((runId) => [
    ...(kept.includes(runId) ? [] : [`${runId} NOT_AMONG_BEST`]),
    `${runId} RUN_ENDED`,
  ]);
  expect(found.checkpoints.map(({ checkpoint, reason }) => `${checkpoint?.runId ?? ''} ${reason}`).sort()).toEqual(
    expected,
  );
  expect(found).toMatchObject({ checkpointCount: expected.length, keepBestCount: 2 });
  expect(found.sizeBytes).toBe(
    found.checkpoints.reduce((sum, { checkpoint }) => sum + (checkpoint?.sizeBytes ?? 0n), 0n),
  );
  expect(await checkpoints(harness)).toEqual(before);

  const all = await harness.sweeps.collectCheckpoints({ ...request, keepBestCount: 100 });
  expect(all.checkpoints.map(({ reason }) => reason)).toEqual(runIds.map(() => 'RUN_ENDED'));

  await harness.sweeps.collectCheckpoints({ ...request, dryRun: false });
  const { checkpoints: listed } = await harness.sweeps.listCheckpoints({
    sweepId,
    runId: '',
    pageSize: 0,
    pageToken: '',
  });
  expect(listed.map(({ runId }) => runId)).toEqual(kept);
  expect((await harness.sweeps.collectCheckpoints(request)).checkpointCount).toBe(0);

  await expect(harness.sweeps.collectCheckpoints({ ...request, keepBestCount: -1 })).rejects.toThrow(
    InvalidRequestError,
  );
  await expect(harness.sweeps.collectCheckpoints({ ...request, sweepId: 'nothing' })).rejects.toThrow(NotFoundError);
}, 90_000);

it('keeps a pinned checkpoint until it is unpinned, and reports why a file was removed', async () => {
  harness = await startHarness({ retentionMs: 3_600_000, env: { GRAFT_COORDINATOR_KEEP_BEST: '1' } });
  const { sweeps } = harness;
  const trainer = await harness.trainer('t1');
  const sweepId = await harness.submit(SPEC);
  await trainer.workAll(2_000);
  const request = { sweepId, keepBestCount: 0, dryRun: false };
  const { checkpoints: found } = await sweeps.collectCheckpoints({ ...request, dryRun: true });
  const [pinned = '', other = ''] = found
    .filter(({ reason }) => reason === 'NOT_AMONG_BEST')
    .map(({ checkpoint }) => checkpoint?.checkpointId ?? '');
  const answer = await sweeps.pinCheckpoint({ checkpointId: pinned, pinned: true });
  expect(answer.checkpoint).toMatchObject({ checkpointId: pinned, pinned: true });
  expect((await sweeps.collectCheckpoints(request)).checkpointCount).toBe(found.length - 1);

  const tooLate = sweeps.pinCheckpoint({ checkpointId: other, pinned: true });
  await expect(tooLate).rejects.toThrow(ArtifactMissingError);
  await expect(tooLate).rejects.toThrow(/was removed by retention: .*not among the best of its sweep/);
  await expect(sweeps.pinCheckpoint({ checkpointId: 'nothing', pinned: true })).rejects.toThrow(NotFoundError);

  await sweeps.pinCheckpoint({ checkpointId: pinned, pinned: false });
  const { checkpoints: left } = await sweeps.collectCheckpoints(request);
  expect(left.map(({ checkpoint }) => checkpoint?.checkpointId)).toEqual([pinned]);
}, 90_000);

it('keeps checkpoints of live runs, and removes the files of ended runs automatically', async () => {
  harness = await startHarness({ retentionMs: 50, env: { GRAFT_COORDINATOR_KEEP_BEST: '2' } });
  const trainer = await harness.trainer('t1');
  await harness.submit(SPEC);
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  const head = await trainer.mustLease('HEAD');
  await trainer.report([trainer.batch(head, 1, 1)]);
  for (const { runId } of head.runs) {
    await trainer.checkpoint(head, runId, 1, 'BEST');
    await trainer.checkpoint(head, runId, 1, 'LAST');
  }
  await harness.coordinator.loops.passes(2);
  expect((await checkpoints(harness)).filter(({ state }) => state !== 'STORED')).toEqual([]);
  await trainer.release(head, 1);
  await trainer.workAll(2_000);
  await harness.coordinator.loops.passes(3);
  const rows = await checkpoints(harness);
  const kept = keptRuns([...new Set(rows.map(({ run_id }) => run_id))].sort());
  expect(
    rows.filter(({ state }) => state !== 'DELETED').map(({ run_id, kind, state }) => [run_id, kind, state]),
  ).toEqual(kept.map((runId) => [runId, 'BEST', 'STORED']));
  for (const { uri, state } of rows) {
    expect((await harness.artifacts.stat(uri)) === null, uri).toBe(state === 'DELETED');
  }
}, 90_000);

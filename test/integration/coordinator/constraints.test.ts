import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExtendSweepRequest } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { modelCost } from '../../../services/core/network/model-cost.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import { parametersToProto } from '../../../services/platform/rpc/convert/parameter.ts';
import { runFromProto } from '../../../services/platform/rpc/convert/run.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { simulatedDataset } from './simulated-dataset.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const BACKBONES = {
  name: 'backbone',
  domain: { kind: 'values' as const, values: ['vgg16', 'mobilenet_0.25'] },
  conditions: [],
};
const SIZES = { name: 'image_size', domain: { kind: 'values' as const, values: [64, 96] }, conditions: [] };

function costOf(parameters: Parameters, classCount = 2): ReturnType<typeof modelCost> {
  return modelCost(compileRunConfig(parameters), classCount);
}

describe('the costs of models', { timeout: 120_000 }, () => {
  it('are stored for every planned run, and shown by the calls and the view', async () => {
    const trainer = await harness.trainer('costs');
    const sweepId = await harness.submit(specOf({ parameters: [BACKBONES] }));
    const before = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    expect(before.runs.map(({ modelBytes }) => modelBytes)).toEqual([undefined, undefined]);
    await trainer.workAll();
    const { runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 0, pageToken: '' });
    for (const run of runs.map(runFromProto)) expect(run).toMatchObject(costOf(run.parameters));
    const rows = await harness.query(
      'SELECT run_index, model_bytes::int, parameter_count::int, flops::float8 FROM leaderboard WHERE sweep_id = $1 ORDER BY run_index',
      [sweepId],
    );
    expect(rows).toEqual(
      runs.map(runFromProto).map((run) => ({
        run_index: run.runIndex,
        model_bytes: run.modelBytes,
        parameter_count: run.parameterCount,
        flops: run.flops,
      })),
    );
  });
});

describe('runs over a constraint', { timeout: 120_000 }, () => {
  it('become infeasible with their numbers before anything but the listing of the images is spent', async () => {
    const trainer = await harness.trainer('bounds');
    const sweepId = await harness.submit(
      specOf({
        parameters: [BACKBONES, SIZES],
        constraints: [
          { name: 'model_bytes', atMost: 10_000_000 },
          { name: 'flops', atMost: 10_000_000 },
        ],
      }),
    );
    const stages = await trainer.workAll();
    // The features are those of the sweep above.
    expect(stages).toEqual(['INDEX', 'HEAD', 'EVALUATE']);
    const runs = await harness.query<{ state: string; state_reason: string; flops: string; attempts: number }>(
      `SELECT state, state_reason, flops,
              (SELECT count(*)::int FROM task_runs t WHERE t.run_id = r.run_id AND EXISTS (SELECT 1 FROM attempts a WHERE a.task_id = t.task_id)) AS attempts
         FROM runs r WHERE sweep_id = $1 ORDER BY run_index`,
      [sweepId],
    );
    expect(runs.map(({ state }) => state)).toEqual(['INFEASIBLE', 'INFEASIBLE', 'SUCCEEDED', 'INFEASIBLE']);
    expect(runs.slice(0, 2).map(({ attempts }) => attempts)).toEqual([0, 0]);
    expect(runs[0]?.state_reason).toBe(
      'its model is over the constraints: model_bytes is 59,385,140 and may be at most 10,000,000; ' +
        `flops is ${Number(runs[0]?.flops).toLocaleString('en-US')} and may be at most 10,000,000.`,
    );
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep).toMatchObject({ infeasibleRunCount: 3, finishedRunCount: 4 });
    expect(sweep?.spec?.constraints).toEqual([
      { name: 'model_bytes', atMost: 10_000_000 },
      { name: 'flops', atMost: 10_000_000 },
    ]);
    const added = [
      { backbone: 'mobilenet_0.25', image_size: 80 },
      { backbone: 'mobilenet_0.25', image_size: 64, seed: 7 },
    ];
    const variants = added.map((variant) => ({ parameters: parametersToProto(variant) }));
    await harness.sweeps.extendSweep(ExtendSweepRequest.fromPartial({ sweepId, variants }));
    await trainer.workAll();
    const states = await harness.query<{ state: string }>(
      'SELECT state FROM runs WHERE sweep_id = $1 AND run_index > 3 ORDER BY run_index',
      [sweepId],
    );
    expect(states.map(({ state }) => state)).toEqual(['INFEASIBLE', 'SUCCEEDED']);
  });

  it('are found when the number of classes makes the head too large', async () => {
    const trainer = await harness.trainer('classes');
    trainer.dataset = simulatedDataset(
      Array.from({ length: 12 }, (_, index) => `class-${index}`),
      () => 4,
    );
    const base = { ...specOf().base, backbone: 'mobilenet_0.25', 'head.units': 0, 'head.pooling': 'flatten' };
    const parameters = { ...base, image_size: 64 };
    const atMost = costOf(parameters, 11).modelBytes;
    const spec = specOf({ base, parameters: [SIZES], constraints: [{ name: 'model_bytes', atMost }] });
    const sweepId = await harness.submit({ ...spec, dataset: { ...spec.dataset, path: '/data/twelve' } });
    expect(await trainer.workAll()).toEqual(['INDEX']);
    const { sweep } = await harness.sweeps.getSweep({ sweepId });
    expect(sweep?.stateReason).toContain(`may be at most ${atMost.toLocaleString('en-US')}`);
  });

  it('are refused at once where no run is left', async () => {
    const spec = specOf({ parameters: [BACKBONES], constraints: [{ name: 'model_bytes', atMost: 1_000 }] });
    await expect(harness.submit(spec)).rejects.toThrow(
      /constraints\.model_bytes\.at_most: leaves no run: the smallest model of the search space has 1,138,372 \(backbone mobilenet_0\.25/,
    );
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stage } from '../../../proto/gen/graft/v1/run.ts';
import type { CountedImages, PlanSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness[Symbol.asyncDispose]());

const plan = (countedImages?: CountedImages): Promise<PlanSweepResponse> =>
  harness.sweeps.planSweep({ spec: sweepSpecToProto(specOf()), pageSize: 0, pageToken: '', countedImages });

function expectedSeconds(response: PlanSweepResponse, stage: Stage): number {
  return response.tasks.filter((task) => task.stage === stage).reduce((sum, task) => sum + task.expectedSeconds, 0);
}

describe('PlanSweep', () => {
  it('forecasts a sweep with the image counts of the latest sweep on the same data', async () => {
    const trainer = await harness.trainer('t', 3);
    const before = await plan();
    expect(before.cost).toMatchObject({
      slotCount: 3,
      extractionCount: 1,
      headCount: 2,
      headTaskCount: 1,
      fineTuneCount: 0,
      trainImageCount: 2_000,
      imageCountsAssumed: true,
    });
    expect(before.tasks.reduce((sum, task) => sum + task.expectedSeconds, 0)).toBeCloseTo(
      before.cost?.slotSeconds ?? 0,
      6,
    );
    const counted = { trainImageCount: 600, validationImageCount: 200, testImageCount: 100, classCount: 3 };
    expect((await plan(counted)).cost).toMatchObject({
      ...{ trainImageCount: 600, validationImageCount: 200, testImageCount: 100 },
      ...{ imageCountsAssumed: false, imageCountsFromClient: true },
    });
    expect((await plan({ ...counted, testImageCount: 0 })).cost).toMatchObject({ imageCountsAssumed: true });
    expect(before.cost?.slotSecondsAlone).toBeGreaterThan(before.cost?.slotSeconds ?? Infinity);
    // Two splits of one base, pooled to 512 float32 values.
    expect(before.cost?.featureBytes).toBe(BigInt(3_000 * 512 * 4));
    await harness.submit(specOf());
    await trainer.workAll();
    const after = await plan(counted);
    expect(after.cost).toMatchObject({ trainImageCount: 20, testImageCount: 20, imageCountsFromClient: false });
    expect(after.cost?.slotSeconds).toBeLessThan(before.cost?.slotSeconds ?? 0);
  });

  it('corrects forecasts by measurements on such slots', async () => {
    const trainer = await harness.trainer('t', 1);
    await harness.submit(specOf());
    await trainer.workAll();
    // As if the heads had taken 100 s and the rest what it did.
    await harness.query(
      `UPDATE attempts SET create_time = end_time - interval '100 s'
        WHERE task_id IN (SELECT task_id FROM tasks WHERE stage = 'HEAD')`,
    );
    const learnt = await plan();
    expect(expectedSeconds(learnt, Stage.HEAD)).toBeGreaterThan(5);
    const [sample] = await harness.query<{ model_seconds: number }>(
      `SELECT model_seconds FROM tasks WHERE stage = 'HEAD'`,
    );
    expect(expectedSeconds(learnt, Stage.HEAD)).toBeGreaterThan(10 * (sample?.model_seconds ?? 0));
    // With another number of threads nothing was measured.
    await harness.query('UPDATE slots SET thread_count = 4');
    expect(expectedSeconds(await plan(), Stage.HEAD)).toBeLessThan(5);
  });
});

describe('GetSweep', () => {
  it('returns forecast and measurement of each stage', async () => {
    const trainer = await harness.trainer('t', 1);
    const base = { ...specOf().base, 'fine_tune.enabled': true, 'fine_tune.epochs': 2, 'fine_tune.unfreeze': 'block2' };
    const sweepId = await harness.submit(specOf({ base }));
    const unplanned = await harness.sweeps.getSweep({ sweepId });
    expect(unplanned.forecastWallSeconds).toBeUndefined();
    await trainer.workAll();
    const { stageForecasts, forecastWallSeconds, forecastAloneSeconds } = await harness.sweeps.getSweep({ sweepId });
    expect(stageForecasts.map(({ stage, taskCount, runCount }) => [stage, taskCount, runCount])).toEqual([
      [Stage.INDEX, 1, 0],
      [Stage.FEATURES, 2, 0],
      [Stage.HEAD, 1, 2],
      [Stage.FINE_TUNE, 2, 2],
      [Stage.EVALUATE, 1, 0],
    ]);
    const planned = stageForecasts.filter(({ stage }) => stage !== Stage.INDEX);
    for (const { forecastSeconds, forecastMemoryBytes, measuredSeconds, lostSeconds, ended } of planned) {
      expect(forecastSeconds).toBeGreaterThan(0);
      expect(forecastMemoryBytes).toBeGreaterThan(0n);
      expect(measuredSeconds).toBeGreaterThan(0);
      expect(lostSeconds).toBe(0);
      expect(ended).toBe(true);
    }
    const [sum] = await harness.query<{ seconds: number }>('SELECT sum(forecast_seconds) AS seconds FROM tasks');
    // One slot: the sweep takes what its tasks take, and INDEX, of which nothing was known before.
    expect(forecastWallSeconds).toBeGreaterThanOrEqual(sum?.seconds ?? Infinity);
    expect(forecastWallSeconds).toBeLessThan((sum?.seconds ?? 0) + 2);
    expect(forecastAloneSeconds).toBeGreaterThan(forecastWallSeconds ?? Infinity);
  });
});

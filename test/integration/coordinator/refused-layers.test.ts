import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { InvalidRequestError } from '../../../services/core/errors.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

const FILE = `
dataset: { path: /data/animals }
base:
  backbone: vgg16
  weights: random
  cut: blok4_pool
  fine_tune: { enabled: true }
parameters:
  fine_tune.unfreeze: [last_block, blok4]
`;

function wrong(nearest: string): unknown {
  return expect.stringContaining(`Did you mean '${nearest}'?`);
}

it('names misspelt layers of a sweep file by path and line before anything is sent', () => {
  const { violations } = parseSweepFile(FILE, { folder: '/sweeps', home: '/home/me' });
  expect(violations).toEqual([
    { field: 'base.cut', description: wrong('block4_pool') },
    { field: 'parameters.fine_tune.unfreeze.values[1]', description: wrong('block4') },
  ]);
  expect(violations.map(({ description }) => /\(line (\d+)\)$/.exec(description)?.[1])).toEqual(['6', '9']);
});

it('refuses misspelt layers in PlanSweep and CreateSweep at once, with all of them, without any trainer', async () => {
  const { spec: parsed } = parseSweepFile(FILE, { folder: '/sweeps', home: '/home/me' });
  const spec = sweepSpecToProto(parsed);
  for (const call of [
    () => harness.sweeps.planSweep({ spec, pageSize: 0, pageToken: '', countedImages: undefined }),
    () => harness.sweeps.createSweep({ spec, requestId: randomUUID() }),
  ]) {
    const began = performance.now();
    const error: unknown = await call().catch((caught: unknown) => caught);
    // Tens of milliseconds on an idle machine; the first call starts a thread.
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect((error as InvalidRequestError).violations).toEqual([
      { field: 'base["cut"]', description: wrong('block4_pool') },
      { field: 'parameters[0].values[1]', description: wrong('block4') },
    ]);
  }
  expect(await harness.query('SELECT FROM sweeps')).toEqual([]);
});

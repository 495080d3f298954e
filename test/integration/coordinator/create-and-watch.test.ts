import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidRequestError, NotFoundError, RequestIdReusedError } from '../../../services/core/errors.ts';
import { parametersDigest } from '../../../services/core/search-space/canonical.ts';
import type { ParameterSpec, Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import type { WatchSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { SweepState } from '../../../proto/gen/graft/v1/sweep.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

describe('CreateSweep', () => {
  it('returns the same sweep to the same request, also concurrently', async () => {
    const request = { requestId: randomUUID(), spec: sweepSpecToProto(specOf()) };
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => harness.sweeps.createSweep(request)));
    expect(new Set(answers.map(({ sweep }) => sweep?.sweepId)).size).toBe(1);
    const again = await harness.sweeps.createSweep(request);
    expect(again.sweep?.sweepId).toBe(answers[0]?.sweep?.sweepId);
    const other = { ...request, spec: sweepSpecToProto(specOf({ seed: 99 })) };
    await expect(harness.sweeps.createSweep(other)).rejects.toThrow(RequestIdReusedError);
    const [row] = await harness.query<{ runs: number; tasks: number; events: number }>(
      `SELECT (SELECT count(*)::int FROM runs WHERE sweep_id = $1) AS runs,
              (SELECT count(*)::int FROM tasks WHERE sweep_id = $1) AS tasks,
              (SELECT count(*)::int FROM events WHERE sweep_id = $1) AS events`,
      [again.sweep?.sweepId],
    );
    expect(row).toEqual({ runs: 2, tasks: 1, events: 1 });
    await harness.sweeps.cancelSweep({ sweepId: again.sweep?.sweepId ?? '', reason: '' });
  });

  it('inserts each run of a large sweep once, with its parameters', async () => {
    const values = Array.from({ length: 1_001 }, (_, index) => index + 1);
    const parameters = [{ name: 'data_seed', domain: { kind: 'values', values }, conditions: [] }] as const;
    const sweepId = await harness.submit(specOf({ parameters }));
    const runs = await harness.query<{ run_index: number; data_seed: string }>(
      `SELECT r.run_index, p.int_value AS data_seed FROM runs r JOIN run_parameters p USING (run_id)
        WHERE r.sweep_id = $1 AND p.name = 'data_seed' ORDER BY r.run_index`,
      [sweepId],
    );
    expect(runs.map(({ run_index }) => run_index)).toEqual(values.map((value) => value - 1));
    expect(runs.map(({ data_seed }) => Number(data_seed))).toEqual(values);
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
  });

  it('reports all mistakes at once, each with its path', async () => {
    const spec = specOf({
      dataset: {
        path: '',
        splitFractions: { train: 0.9, validation: 0.9, test: 0.1, seed: 1 },
        allowDuplicates: false,
        skipBadFiles: false,
      },
      base: { backbone: 'vgg61', epochs: 0, nonsense: 3 },
      parameters: [
        { name: 'optimizer.learning_rate', domain: { kind: 'values', values: [] }, conditions: [] },
        {
          name: 'head.dropout',
          domain: { kind: 'range', min: 0.5, max: 0.1, scale: 'linear', gridPoints: null, step: null },
          conditions: [],
        },
      ],
    });
    const error: unknown = await harness.sweeps
      .createSweep({ requestId: '', spec: sweepSpecToProto(spec) })
      .catch((e: unknown) => e);
    if (!(error instanceof InvalidRequestError)) throw new Error(`expected InvalidRequestError, got ${String(error)}`);
    const fields = error.violations.map(({ field }) => field);
    expect(fields.length).toBeGreaterThanOrEqual(6);
    expect(fields.some((field) => field.includes('dataset'))).toBe(true);
    expect(fields.some((field) => field.includes('nonsense'))).toBe(true);
    expect(error.violations.find(({ field }) => field.includes('backbone'))?.description).toContain('vgg16');
  });

  it('keeps parameters typed for SQL', async () => {
    const sweepId = await harness.submit(specOf());
    const rows = await harness.query(
      `SELECT name, number_value, int_value::int AS int_value, bool_value, string_value FROM run_parameters
        WHERE run_id = $1 AND name IN ('epochs', 'backbone', 'optimizer.learning_rate', 'fine_tune.enabled') ORDER BY name`,
      [`${sweepId}-r000`],
    );
    expect(rows).toEqual([
      { name: 'backbone', number_value: null, int_value: null, bool_value: null, string_value: 'vgg16' },
      { name: 'epochs', number_value: null, int_value: 3, bool_value: null, string_value: null },
      { name: 'fine_tune.enabled', number_value: null, int_value: null, bool_value: false, string_value: null },
      { name: 'optimizer.learning_rate', number_value: 0.001, int_value: null, bool_value: null, string_value: null },
    ]);
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
  });

  it('has the runs at a default in the SQL views of a varied parameter, and keeps their digests', async () => {
    const values = (name: string, ...of: readonly (number | string)[]): ParameterSpec => ({
      name,
      domain: { kind: 'values', values: [...of] },
      conditions: [],
    });
    const parameters = [values('loss.name', 'cross_entropy', 'focal'), values('augmentation.mixup_alpha', 0, 0.2)];
    const sweepId = await harness.submit(specOf({ base: { ...specOf().base, method: 'augmented' }, parameters }));
    const ranked = await harness.query<{ parameters: string }>(
      'SELECT parameters FROM leaderboard WHERE sweep_id = $1 ORDER BY run_index',
      [sweepId],
    );
    expect(ranked.map((row) => row.parameters)).toEqual(
      ['0 loss.name=cross_entropy', '0.2 loss.name=cross_entropy', '0 loss.name=focal', '0.2 loss.name=focal'].map(
        (rest) => `augmentation.mixup_alpha=${rest}`,
      ),
    );
    expect(
      await harness.query(
        'SELECT name, value, run_count FROM parameter_effects WHERE sweep_id = $1 ORDER BY name, value',
        [sweepId],
      ),
    ).toEqual([
      { name: 'augmentation.mixup_alpha', value: '0', run_count: 2 },
      { name: 'augmentation.mixup_alpha', value: '0.2', run_count: 2 },
      { name: 'loss.name', value: 'cross_entropy', run_count: 2 },
      { name: 'loss.name', value: 'focal', run_count: 2 },
    ]);
    // Every parameter that exists in a run is there, whether it varies or not.
    const [first] = await harness.query<{ parameters: Parameters; digest: string; defaults: Parameters }>(
      `SELECT r.parameters, r.parameters_digest AS digest,
              (SELECT json_object_agg(p.name, coalesce(to_json(p.number_value), to_json(p.int_value)))
                 FROM run_parameters p
                WHERE p.run_id = r.run_id AND p.name IN ('augmentation.hue', 'optimizer.gradient_accumulation_steps')) AS defaults
         FROM runs r WHERE r.run_id = $1`,
      [`${sweepId}-r000`],
    );
    expect(first?.defaults).toEqual({ 'augmentation.hue': 0, 'optimizer.gradient_accumulation_steps': 1 });
    expect(Object.keys(first?.parameters ?? {})).not.toContain('loss.name');
    expect(parametersDigest(first?.parameters ?? {})).toBe(first?.digest);
    await harness.sweeps.cancelSweep({ sweepId, reason: '' });
  });

  it('plans without writing anything', async () => {
    const before = await harness.query('SELECT count(*)::int AS count FROM sweeps');
    const plan = await harness.sweeps.planSweep({
      spec: sweepSpecToProto(specOf()),
      pageSize: 0,
      pageToken: '',
      countedImages: undefined,
    });
    expect(plan.runs).toHaveLength(2);
    expect(plan.tasks.length).toBeGreaterThanOrEqual(4);
    expect(plan.basePassCountAlone).toBeGreaterThan(plan.basePassCountShared);
    expect(await harness.query('SELECT count(*)::int AS count FROM sweeps')).toEqual(before);
  });
});

describe('WatchSweep', () => {
  it('sends every event once and in order, from the beginning and from a cursor, and ends with the sweep', async () => {
    const trainer = await harness.trainer('watched', 2);
    const sweepId = await harness.submit(specOf());
    const live = harness.watch(sweepId);
    await trainer.workAll();
    const events = await live;
    const cursors = events.map(({ cursor }) => cursor);
    expect(cursors).toEqual(cursors.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(cursors).size).toBe(cursors.length);
    const [row] = await harness.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM events WHERE sweep_id = $1',
      [sweepId],
    );
    expect(events).toHaveLength(row?.count ?? -1);
    expect(events[0]?.event).toMatchObject({ $case: 'sweepState', value: { state: SweepState.ACTIVE } });
    expect(events.at(-1)?.event).toMatchObject({ $case: 'sweepState', value: { state: SweepState.SUCCEEDED } });
    expect(kinds(events)).toEqual(new Set(['sweepState', 'runState', 'task', 'epoch', 'testResult']));
    const epochs = events.flatMap(({ event }) => (event?.$case === 'epoch' ? [event.value] : []));
    expect(epochs).toHaveLength(6);
    expect(epochs[0]?.metrics.map(({ name }) => name)).toContain('val_loss');

    const middle = Math.floor(events.length / 2);
    expect(await harness.watch(sweepId, events[middle]?.cursor)).toEqual(events.slice(middle + 1));
    expect(await harness.watch(sweepId, events.at(-1)?.cursor)).toEqual([]);
  });

  it('loses no event when transactions of one sweep commit concurrently', async () => {
    const trainer = await harness.trainer('watched', 8);
    const values = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => i / 1000);
    const sweepId = await harness.submit(
      specOf({
        seed: 7,
        parameters: [{ name: 'optimizer.learning_rate', domain: { kind: 'values', values }, conditions: [] }],
      }),
    );
    const live = harness.watch(sweepId);
    await Promise.all(Array.from({ length: 8 }, (_, slot) => trainer.workAll(2_000, slot)));
    const events = await live;
    const rows = await harness.query<{ event_id: string }>(
      'SELECT event_id FROM events WHERE sweep_id = $1 ORDER BY event_id',
      [sweepId],
    );
    expect(events.map(({ cursor }) => cursor)).toEqual(rows.map(({ event_id }) => BigInt(event_id)));
    expect((await harness.sweeps.getSweep({ sweepId })).sweep?.state).toBe(SweepState.SUCCEEDED);
  });

  it('is refused for a sweep that does not exist', async () => {
    await expect(harness.watch('sxxxxxxxxx')).rejects.toThrow(NotFoundError);
  });
});

describe('lists', () => {
  it('return sweeps latest first, in pages without gaps', async () => {
    const all = await harness.sweeps.listSweeps({ pageSize: 0, pageToken: '' });
    expect(all.sweeps.length).toBeGreaterThanOrEqual(4);
    const joined: (string | undefined)[] = [];
    let pageToken = '';
    do {
      const page = await harness.sweeps.listSweeps({ pageSize: 3, pageToken });
      joined.push(...page.sweeps.map(({ sweepId }) => sweepId));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(joined).toEqual(all.sweeps.map(({ sweepId }) => sweepId));
    // AIP-158: what is above the maximum is coerced, what is negative refused.
    const coerced = await harness.sweeps.listSweeps({ pageSize: 2 ** 31 - 1, pageToken: '' });
    expect(coerced.sweeps.map(({ sweepId }) => sweepId)).toEqual(joined);
    await expect(harness.sweeps.listSweeps({ pageSize: -1, pageToken: '' })).rejects.toThrow(/page_size/);
  });

  it('refuse a token of another list', async () => {
    const page = await harness.sweeps.listSweeps({ pageSize: 1, pageToken: '' });
    const stolen = { sweepId: page.sweeps[0]?.sweepId ?? '', pageSize: 1, pageToken: page.nextPageToken };
    await expect(harness.sweeps.listRuns(stolen)).rejects.toThrow(/page_token/);
  });

  it('return trainers with the tasks of their slots, and data sets', async () => {
    const trainer = await harness.trainer('busy', 2);
    await harness.submit(specOf({ seed: 12 }));
    const task = await trainer.mustLease('INDEX', 1);
    const { trainers } = await harness.sweeps.listTrainers({ pageSize: 0, pageToken: '' });
    const busy = trainers.find(({ trainerId }) => trainerId === 'busy');
    expect(busy).toMatchObject({ state: 'READY', hostname: 'host' });
    expect(busy?.slots.map(({ taskId }) => taskId)).toEqual(['', task.taskId]);
    const { datasets } = await harness.sweeps.listDatasets({ pageSize: 0, pageToken: '' });
    expect(datasets).toHaveLength(1);
    const { dataset } = await harness.sweeps.getDataset({ datasetId: datasets[0]?.datasetId ?? '', sweepId: '' });
    expect(dataset).toEqual(datasets[0]);
    expect(dataset?.classNames).toEqual(['cat', 'dog']);
  });
});

function kinds(events: readonly WatchSweepResponse[]): Set<string | undefined> {
  return new Set(events.map(({ event }) => event?.$case));
}

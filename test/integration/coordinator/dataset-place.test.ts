import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DatasetProblem } from '../../../services/core/dataset.ts';
import { InvalidRequestError, NotFoundError } from '../../../services/core/errors.ts';
import { readMirroredSweep } from '../../../services/coordinator/store/outbox/read-mirrored.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import type { SimulatedTrainer } from './simulated-trainer.ts';

let harness: Harness;
let trainer: SimulatedTrainer;
beforeEach(async () => {
  harness = await startHarness();
  trainer = await harness.trainer('a');
});
afterEach(() => harness[Symbol.asyncDispose]());

const sourceAt = (path: string) => ({ path, splitFractions: null, allowDuplicates: false, skipBadFiles: false });

/** Submits a sweep on images in a folder; the same content whatever the folder. */
async function submit(path: string, seed: number): Promise<string> {
  return harness.submit(specOf({ dataset: sourceAt(path), seed }));
}

/** Indexes as a trainer that found these problems. */
async function index(problems: readonly DatasetProblem[] = [], by = trainer): Promise<void> {
  const task = await by.mustLease('INDEX');
  const result = by.resultOf(task);
  if (result.stage !== 'INDEX') throw new Error('unreachable: the task is INDEX');
  await by.complete(task, { ...result, dataset: { ...result.dataset, problems } });
}

const duplicate = (message: string): DatasetProblem => ({
  code: 'EXACT_DUPLICATE',
  path: 'test/cat/1.jpg',
  message,
  fatal: false,
});

it('a sweep reads its own folder after another sweep has indexed a copy of its images elsewhere', async () => {
  const a = await submit('/data/animals', 1);
  await index();
  await harness.sweeps.pauseSweep({ sweepId: a, reason: '' });
  const b = await submit('/mnt/copy', 2);
  await index();
  await harness.sweeps.cancelSweep({ sweepId: b, reason: '' });
  await harness.sweeps.resumeSweep({ sweepId: a });
  const stages: string[] = [];
  for (let task = await trainer.lease(0, 300); task !== null; task = await trainer.lease(0, 300)) {
    expect(task.sweepId).toBe(a);
    expect([task.dataset?.path, task.datasetSource.path]).toEqual(['/data/animals', '/data/animals']);
    await trainer.work(task);
    stages.push(task.stage);
  }
  expect(new Set(stages)).toEqual(new Set(['FEATURES', 'HEAD', 'EVALUATE']));
  // One row of content; each sweep is shown with its own folder, in SQL and in the API.
  const shown = 'SELECT dataset_path FROM sweep_summaries ORDER BY create_time';
  expect(await harness.query(shown)).toEqual([{ dataset_path: '/data/animals' }, { dataset_path: '/mnt/copy' }]);
  const { datasets } = await harness.sweeps.listDatasets({ pageSize: 0, pageToken: '' });
  expect(datasets.map(({ path }) => path)).toEqual(['/data/animals']);
  const datasetId = datasets[0]?.datasetId ?? '';
  const paths = await Promise.all(
    [a, b, ''].map(async (sweepId) => (await harness.sweeps.getDataset({ datasetId, sweepId })).dataset?.path),
  );
  expect(paths).toEqual(['/data/animals', '/mnt/copy', '/data/animals']);
  // The MLflow mirror names the sweep's folder too.
  const pool = new pg.Pool({ connectionString: harness.databaseUrl, max: 1 });
  const mirrored = await Promise.all([a, b].map(async (sweepId) => readMirroredSweep(pool, sweepId)));
  await pool.end();
  expect(mirrored.map(({ dataset }) => dataset?.path)).toEqual(['/data/animals', '/mnt/copy']);
});

it('problems ignored under the flags of one sweep are not reported for another', async () => {
  const a = await submit('/data/animals', 1);
  await index([duplicate('It is kept because allow_duplicates is set.')]);
  await harness.sweeps.cancelSweep({ sweepId: a, reason: '' });
  const b = await submit('/mnt/copy', 2);
  await index();
  const { datasets } = await harness.sweeps.listDatasets({ pageSize: 0, pageToken: '' });
  const datasetId = datasets[0]?.datasetId ?? '';
  const problemsOf = async (sweepId: string) =>
    (await harness.sweeps.getDataset({ datasetId, sweepId })).dataset?.problems.map(({ message }) => message);
  expect(await problemsOf(a)).toEqual(['It is kept because allow_duplicates is set.']);
  expect(await problemsOf(b)).toEqual([]);
  // A sweep that was indexed before its own problems were recorded has those of the data set.
  await harness.query('UPDATE sweeps SET dataset_problems = NULL WHERE sweep_id = $1', [b]);
  expect(await problemsOf(b)).toEqual(['It is kept because allow_duplicates is set.']);
});

it('a data set is returned for a sweep that uses it, and refused for others', async () => {
  await submit('/data/animals', 1);
  await index();
  const { datasets } = await harness.sweeps.listDatasets({ pageSize: 0, pageToken: '' });
  const datasetId = datasets[0]?.datasetId ?? '';
  const fresh = await submit('/mnt/copy', 2);
  const refusal = async (sweepId: string): Promise<unknown> =>
    harness.sweeps.getDataset({ datasetId, sweepId }).catch((error: unknown) => error);
  const early = await refusal(fresh);
  expect(early).toBeInstanceOf(InvalidRequestError);
  expect(String(early)).toContain(`sweep_id: must be a sweep on data set ${datasetId}`);
  expect(await refusal('s-nothing')).toBeInstanceOf(NotFoundError);
});

it('features that one sweep cannot compute, because its folder was removed, are computed by the other', async () => {
  const a = await submit('/mnt/gone', 1);
  await index();
  const lost = await trainer.mustLease('FEATURES');
  expect(lost.sweepId).toBe(a);
  const b = await submit('/data/animals', 2);
  await index([], await harness.trainer('b'));
  await trainer.fail(lost, { errorClass: 'PERMANENT', code: 'IMAGES_UNREADABLE', message: '/mnt/gone is not there' });
  const found = await trainer.mustLease('FEATURES');
  expect([found.sweepId, found.dataset?.path]).toEqual([b, '/data/animals']);
  await trainer.work(found);
  await trainer.workAll();
  const states = await harness.query('SELECT sweep_id, state FROM sweeps ORDER BY create_time');
  expect(states.at(-1)).toEqual({ sweep_id: b, state: 'SUCCEEDED' });
});

it('other classes or counts for a known digest are refused, and the row is kept', async () => {
  const a = await submit('/data/animals', 1);
  await index();
  await harness.sweeps.cancelSweep({ sweepId: a, reason: '' });
  const b = await submit('/mnt/copy', 2);
  const row = () => harness.query('SELECT class_names, class_counts, path FROM datasets');
  const before = await row();
  const task = await trainer.mustLease('INDEX');
  const honest = trainer.resultOf(task);
  if (honest.stage !== 'INDEX') throw new Error('unreachable: the task is INDEX');
  const { classCounts } = honest.dataset;
  const [first, ...others] = classCounts;
  if (first === undefined) throw new Error('unreachable: there are classes');
  const renamed = (from: string, to: string) =>
    classCounts.map((count) => (count.className === from ? { ...count, className: to } : count));
  const lies: readonly [Partial<typeof honest.dataset>, string][] = [
    [{ classNames: ['dog', 'cat'] }, "class_names[0]: must be 'cat', as data set"],
    [{ classNames: ['cat', 'fox'], classCounts: renamed('dog', 'fox') }, "class_names[1]: must be 'dog'"],
    [
      {
        classNames: ['cat', 'dog', 'fox'],
        classCounts: [...classCounts, ...renamed('dog', 'fox').filter(({ className }) => className === 'fox')],
      },
      'class_names[2]: must be no class',
    ],
    [{ classCounts: [{ ...first, imageCount: 11 }, ...others] }, 'class_counts[0].image_count: must be 10'],
  ];
  for (const [lie, text] of lies) {
    const refused = trainer.complete(task, { ...honest, dataset: { ...honest.dataset, ...lie } });
    const error: unknown = await refused.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ reason: 'REPORT_REFUSED' });
    expect(String(error)).toContain(text);
    await harness.query('UPDATE trainers SET refusal_count = 0');
  }
  expect(await row()).toEqual(before);
  // Their order says nothing.
  await trainer.complete(task, { ...honest, dataset: { ...honest.dataset, classCounts: classCounts.toReversed() } });
  expect(await row()).toEqual(before);
  await trainer.workAll();
  expect((await harness.query('SELECT state FROM sweeps WHERE sweep_id = $1', [b]))[0]).toEqual({ state: 'SUCCEEDED' });
});

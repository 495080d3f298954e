import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InvalidRequestError } from '../../../services/core/errors.ts';
import { planFromProto } from '../../../services/platform/rpc/convert/plan.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import type { PlanSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { largeSpec } from '../../fuzz/worst-requests.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness[Symbol.asyncDispose]());

async function mistakesOf(call: Promise<unknown>): Promise<InvalidRequestError> {
  const error: unknown = await call.catch((e: unknown) => e);
  if (!(error instanceof InvalidRequestError)) throw new Error(`expected InvalidRequestError, got ${String(error)}`);
  return error;
}

async function allPlanPages(spec: ReturnType<typeof largeSpec>): Promise<PlanSweepResponse[]> {
  const pages: PlanSweepResponse[] = [];
  let pageToken = '';
  do {
    const page = await harness.sweeps.planSweep(
      { spec, pageSize: 0, pageToken, countedImages: undefined },
      { deadlineMs: 100_000 },
    );
    pages.push(page);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return pages;
}

it('answers the plan of 6,000 runs in pages that join, and other calls meanwhile', { timeout: 120_000 }, async () => {
  const sweepId = await harness.submit(specOf());
  const progress = { isOver: false };
  const plan = allPlanPages(largeSpec(6_000)).finally(() => (progress.isOver = true));
  let answered = 0;
  while (!progress.isOver) {
    await harness.sweeps.getSweep({ sweepId });
    answered += 1;
  }
  const pages = await plan;
  expect(answered).toBeGreaterThan(10);
  expect(pages.length).toBeGreaterThan(5);
  expect(pages.map(({ runCount }) => runCount)).toEqual(pages.map(() => 6_000));
  const joined = planFromProto(pages);
  expect(joined.runs.map(({ runIndex }) => runIndex)).toEqual(Array.from({ length: 6_000 }, (_, index) => index));
  expect(joined.tasks).toHaveLength(pages[0]?.taskCount ?? 0);
  expect(joined.tasks.at(-1)?.stage).toBe('EVALUATE');
});

it('refuses names of 200 kB, 5,000 unknown names and 10,000 variants before any work', async () => {
  const [empty] = await harness.query<{ count: number }>('SELECT count(*)::int AS count FROM sweeps');
  const spec = sweepSpecToProto(specOf());
  const call = { requestId: randomUUID(), pageSize: 0, pageToken: '', countedImages: undefined };
  const value = { kind: { $case: 'intValue' as const, value: 1n } };
  const wrong = {
    'parameters[0].name': { ...spec, parameters: [{ name: 'x'.repeat(200_000), domain: undefined, conditions: [] }] },
    base: { ...spec, base: Array.from({ length: 5_000 }, (_, index) => ({ name: `name_${index}`, value })) },
    variants: {
      ...spec,
      variants: Array.from({ length: 10_000 }, () => ({ parameters: [{ name: 'epochs', value }] })),
    },
  };
  for (const [field, sent] of Object.entries(wrong)) {
    for (const answer of [harness.sweeps.planSweep, harness.sweeps.createSweep]) {
      const begin = performance.now();
      const { violations } = await mistakesOf(answer({ ...call, spec: sent }));
      expect(performance.now() - begin).toBeLessThan(5_000);
      expect(violations.map((violation) => violation.field)).toEqual([field]);
      expect(violations[0]?.description).toMatch(/at most \d+ .*; received \d+/);
    }
  }
  expect(await harness.query('SELECT count(*)::int AS count FROM sweeps')).toEqual([empty]);
});

it('tells at most 50 of thousands of mistakes within the trailers of a call', async () => {
  const variants = Array.from({ length: 900 }, (_, index) => ({ [`nonsense_${index}`]: index, epochs: -1 }));
  const error = await mistakesOf(
    harness.sweeps.createSweep({
      requestId: '',
      spec: sweepSpecToProto(specOf({ strategy: 'list', parameters: [], variants })),
    }),
  );
  expect(error.count).toBe(1_800);
  expect(error.violations.length).toBeLessThanOrEqual(50);
  expect(error.message).toMatch(/… and \d+ more/);
});

it('refuses page tokens of a plan that are of another spec or beyond its end', async () => {
  const spec = sweepSpecToProto(specOf());
  const first = await harness.sweeps.planSweep({ spec, pageSize: 1, pageToken: '', countedImages: undefined });
  expect(first.nextPageToken).not.toBe('');
  const other = sweepSpecToProto(specOf({ seed: 5 }));
  await expect(
    harness.sweeps.planSweep({ spec: other, pageSize: 1, pageToken: first.nextPageToken, countedImages: undefined }),
  ).rejects.toThrow(/page_token/);
  await expect(
    harness.sweeps.planSweep({
      spec,
      pageSize: 1,
      pageToken: moved(first.nextPageToken, { run: 9_999 }),
      countedImages: undefined,
    }),
  ).rejects.toThrow(/page_token: is beyond the end/);
});

it('lists sweeps although rows from before the limits are larger than a message', { timeout: 60_000 }, async () => {
  const ids = [await harness.submit(specOf()), await harness.submit(specOf()), await harness.submit(specOf())];
  const paths = [3_500_000, 3_500_000, 5_000_000];
  for (const [index, sweepId] of ids.entries()) {
    await harness.query(
      `UPDATE sweeps SET spec = jsonb_set(spec, '{dataset,path}', to_jsonb('/' || repeat('x', $2))) WHERE sweep_id = $1`,
      [sweepId, paths[index]],
    );
  }
  const listed = new Map<string, { path: number; reason: string }>();
  let pageToken = '';
  do {
    const page = await harness.sweeps.listSweeps({ pageSize: 1_000, pageToken });
    for (const { sweepId, spec, stateReason } of page.sweeps) {
      listed.set(sweepId, { path: spec?.dataset?.path.length ?? 0, reason: stateReason });
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(listed.get(ids[0] ?? '')?.path).toBe(3_500_001);
  expect(listed.get(ids[1] ?? '')?.path).toBe(3_500_001);
  expect(listed.get(ids[2] ?? '')).toMatchObject({
    path: 1_001,
    reason: expect.stringContaining('cut here') as string,
  });
  const { sweep } = await harness.sweeps.getSweep({ sweepId: ids[2] ?? '' });
  expect(sweep?.spec?.dataset?.path).toHaveLength(1_001);
});

it('refuses a watch behind the last event, and tokens beyond the end or with keys that do not exist', async () => {
  const sweepId = await harness.submit(specOf());
  const watch = async (cursor: bigint): Promise<void> => {
    for await (const event of harness.sweeps.watchSweep({ sweepId, cursor }, { deadlineMs: 2_000 }))
      expect(event).toBeDefined();
  };
  await expect(watch(10n ** 12n)).rejects.toThrow(/cursor: must be at most \d+/);
  await expect(watch(-1n)).rejects.toThrow(/cursor: must be 0 or above/);
  const { nextPageToken: runs } = await harness.sweeps.listRuns({ sweepId, pageSize: 1, pageToken: '' });
  for (const runIndex of [10_000, 2 ** 40, -1, 1.5]) {
    const pageToken = moved(runs, { runIndex });
    await expect(harness.sweeps.listRuns({ sweepId, pageSize: 1, pageToken })).rejects.toThrow(/page_token/);
  }
  const { nextPageToken: sweeps } = await harness.sweeps.listSweeps({ pageSize: 1, pageToken: '' });
  for (const createTime of ['2026-02-30 00:00:00+00', '9999-99-99 99:99:99+00', '2026-01-01 00:00:00+99']) {
    const pageToken = moved(sweeps, { createTime });
    await expect(harness.sweeps.listSweeps({ pageSize: 1, pageToken })).rejects.toThrow(/page_token/);
  }
  const nul = moved(sweeps, { sweepId: 'a\0b' });
  await expect(harness.sweeps.listSweeps({ pageSize: 1, pageToken: nul })).rejects.toThrow(/page_token/);
});

/** A token whose key has other values: what a client may send that makes its own. */
function moved(token: string, key: Readonly<Record<string, unknown>>): string {
  const envelope = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as { k: object };
  return Buffer.from(JSON.stringify({ ...envelope, k: { ...envelope.k, ...key } })).toString('base64url');
}

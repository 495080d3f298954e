import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DecisionKind } from '../../../proto/gen/graft/v1/decision.ts';
import type { Pool } from 'pg';
import { replaySweep } from '../../../services/coordinator/store/explain/replay-sweep.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import type { SearchPolicy } from '../../../services/core/stopping/policy.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { runExplanationFromProto } from '../../../services/platform/rpc/convert/decision.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { describeRungs } from '../../../services/cli/describe/explain-run-text.ts';
import { insertSampleSearch, SEARCH_SWEEP, searchSpec } from '../../support/sample-search.ts';
import { startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

const ASHA = 'asha';
const PAIRED = 'paired';
const PAGE = { sweepId: '', runId: '', pageSize: 0, pageToken: '' };
const log = createLogger('test', 'silent');
let harness: Harness;
let pool: Pool;
let store: Store;

beforeAll(async () => {
  harness = await startHarness();
  pool = createPool(harness.databaseUrl, { applicationName: 'test', max: 2, log });
  store = createStore({ pool, log, leaseMs: 30_000 });
  await insertSampleSearch(store);
  for (const rule of ['asha', 'paired'] as const) {
    await insertSampleSearch(store, { ...searchSpec(), stopping: { ...searchSpec().stopping!, rule } }, rule);
  }
});

afterAll(async () => {
  await store.prisma.$disconnect();
  await pool.end();
  await harness[Symbol.asyncDispose]();
});

async function explained(index: number, sweepId = SEARCH_SWEEP): Promise<string> {
  const { run, ...answer } = await harness.sweeps.explainRun({ runId: `${sweepId}-r00${index}` });
  expect(run?.runIndex).toBe(index);
  return describeRungs(runExplanationFromProto(answer), 'val_accuracy', true).join('\n');
}

describe('the explanation of a run', () => {
  it('names rule, place, cut and numbers of every run that was not promoted, and what it was compared with', async () => {
    const text = await explained(8);
    expect(text).toContain('Rung 0 (end of the head): val_accuracy 0.4500 ± 0.0787 (best epoch 10), place 9 of 9.');
    expect(text).toMatch(/→ PAUSE by promotion@2, place 9, cut 4: place 9 of 9 .*the best 4 are promoted/);
    expect(text).toMatch(
      /Against run 6 \(place 4, 0\.6500\), on the same 40 validation images: \d+ only this run gets right, \d+ only run 6; p = 0\.\d+/,
    );
    expect(text).toContain(
      [
        '  place  run  val_accuracy',
        '      1    4        0.8000  promoted',
        '      2    0        0.7500  promoted',
        '      3    5        0.6750  promoted',
        '      4    6        0.6500  promoted',
        '  ── cut: the best 4 of 9 train on',
        '      5    1        0.6250  not promoted',
        '      6    7        0.6000  not promoted',
        '      7    2        0.5500  not promoted',
        '      8    3        0.5000  not promoted',
        '      9    8        0.4500  this run',
      ].join('\n'),
    );
    expect(text).toContain(
      [
        'The search has ended. It is at place 9 of 9 at rung 0 (end of the head), and the best 4 are promoted.',
        'It is promoted after 15 more runs there that are worse: ' +
          `\`graft sweep extend ${SEARCH_SWEEP} --variant NAME=VALUE,…\` adds runs, and it waits again.`,
      ].join('\n'),
    );
  });

  it('names the promotions of a run that came to its end', async () => {
    const text = await explained(4);
    expect(text.match(/→ PROMOTE by promotion@2, place 1, cut \d/g)).toHaveLength(3);
    expect(text).toContain('Rung 3 (end of fine-tuning): val_accuracy 0.9500');
    expect(text).not.toContain('The search has ended.');
  });

  it('compares a run that a rule stopped with the entry at the cut, among those that came before', async () => {
    const text = await explained(3, ASHA);
    expect(text).toMatch(/→ STOP by asha@2, place 4, cut \d: /);
    expect(text).toContain('Against run');
  });
});

describe('the decisions of a sweep', () => {
  it('are listed in order, in pages and for one run', async () => {
    const all = await harness.sweeps.listDecisions({ ...PAGE, sweepId: SEARCH_SWEEP });
    expect(all.decisions.map(({ decisionId }) => Number(decisionId))).toEqual(
      all.decisions.map((_, index) => index + 1),
    );
    expect(all.decisions.at(-1)?.kind).toBe(DecisionKind.END);
    const first = await harness.sweeps.listDecisions({ ...PAGE, sweepId: SEARCH_SWEEP, pageSize: 5 });
    expect(first.decisions).toEqual(all.decisions.slice(0, 5));
    const second = await harness.sweeps.listDecisions({
      ...PAGE,
      sweepId: SEARCH_SWEEP,
      pageToken: first.nextPageToken,
    });
    expect(second.decisions).toEqual(all.decisions.slice(5));
    const own = await harness.sweeps.listDecisions({ ...PAGE, runId: `${SEARCH_SWEEP}-r004` });
    expect(own.decisions).toEqual(all.decisions.filter(({ runId }) => runId === `${SEARCH_SWEEP}-r004`));
    await expect(harness.sweeps.listDecisions({ ...PAGE, sweepId: 'unknown' })).rejects.toThrow(/unknown/);
    await expect(harness.sweeps.listDecisions(PAGE)).rejects.toThrow(/sweep_id/);
  });

  it('are explained with the rungs, their entries in places, and the comparison of the best run with the baseline', async () => {
    const { rule, rungs, notes, replay } = await harness.sweeps.explainSweep({ sweepId: SEARCH_SWEEP, replay: false });
    expect(rule).toBe('promotion@2');
    expect(rungs.map(({ entryCount }) => entryCount)).toEqual([9, 4, 2, 1]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^Run 4 is not distinguishable from the baseline on the validation images: .*, corrected for the choice among 9 runs; both at fine-tuning, epoch 9, because the baseline was not trained further\.$/,
      ),
    ]);
    expect(replay).toBeUndefined();
    const { entries, nextPageToken } = await harness.sweeps.listRungEntries({
      ...PAGE,
      sweepId: SEARCH_SWEEP,
      pageSize: 12,
    });
    const { entries: rest } = await harness.sweeps.listRungEntries({
      ...PAGE,
      sweepId: SEARCH_SWEEP,
      pageToken: nextPageToken,
    });
    const all = [...entries, ...rest];
    expect(all.map(({ rung, arrival }) => [rung, arrival])).toEqual(
      rungs.flatMap(({ rung, entryCount }) => Array.from({ length: entryCount }, (_, index) => [rung, index + 1])),
    );
    const heads = all.filter(({ rung }) => rung === 0).sort((a, b) => a.place - b.place);
    expect(heads.map(({ runIndex }) => runIndex)).toEqual([4, 0, 5, 6, 1, 7, 2, 3, 8]);
    expect(heads.map(({ decision }) => decision === DecisionKind.PROMOTE)).toEqual([
      ...Array.from({ length: 4 }, () => true),
      ...Array.from({ length: 5 }, () => false),
    ]);
  });

  it.each([SEARCH_SWEEP, ASHA, PAIRED])('are equal when they are recomputed from the rows (%s)', async (sweepId) => {
    const { replay, decisionCounts } = await harness.sweeps.explainSweep({ sweepId, replay: true });
    const counted = decisionCounts.reduce((sum, { count }) => sum + count, 0);
    expect(replay).toEqual({ decisionCount: counted, differenceCount: 0, differences: [] });
  });

  it('are equal when the results by image are dropped between two decisions, and read for two runs at once', async () => {
    const { rows } = await pool.query<{ policy: SearchPolicy }>('SELECT policy FROM searches WHERE sweep_id = $1', [
      PAIRED,
    ]);
    const compared = await harness.query(
      `SELECT 1 FROM decisions WHERE sweep_id = '${PAIRED}' AND p_value IS NOT NULL`,
    );
    expect(compared.length).toBeGreaterThan(2);
    const query = vi.spyOn(pool, 'query');
    const replay = await replaySweep(store, PAIRED, rows[0]!.policy, 1);
    const read = (query.mock.calls as unknown as [string, unknown[][]][])
      .filter(([text]) => text.includes('e.losses'))
      .map(([, [, rungs]]) => rungs!.length);
    query.mockRestore();
    expect(replay).toMatchObject({ differenceCount: 0 });
    expect(read.length).toBeGreaterThanOrEqual(compared.length);
    expect(Math.max(...read)).toBeLessThanOrEqual(2);
  });

  it('differ when a row was changed, and are named', async () => {
    const where = `sweep_id = '${ASHA}' AND kind = 'STOP'`;
    await harness.query(`UPDATE decisions SET place = place + 1 WHERE ${where}`);
    const { replay, decisionCounts } = await harness.sweeps.explainSweep({ sweepId: ASHA, replay: true });
    await harness.query(`UPDATE decisions SET place = place - 1 WHERE ${where}`);
    const stops = decisionCounts.find(({ kind }) => kind === DecisionKind.STOP)?.count;
    expect(replay?.differenceCount).toBe(stops);
    expect(replay?.differences[0]).toMatchObject({ stored: 'place 4', recomputed: 'place 3' });
  });
});

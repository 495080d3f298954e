import { describe, expect, test } from 'vitest';
import type { Objective } from '../../../../services/core/objective.ts';
import type { Evidence } from '../../../../services/core/statistics/evidence.ts';
import { judge } from '../../../../services/core/stopping/judge.ts';
import type { Verdict } from '../../../../services/core/stopping/rule.ts';
import { pathOf } from '../../../../services/core/stopping/ladder.ts';
import type { StoppingSpec } from '../../../../services/core/sweep/search-spec.ts';
import { packOutcomes } from '../support/noisy-runs.ts';
import { ACCURACY, LOSS, alike, entryOf, lastOf, searchPolicy } from '../support/search-inputs.ts';

/** Judges the last of these accuracies, or the same values as losses below 1. */
function judgeLast(
  stopping: Partial<StoppingSpec>,
  values: readonly number[],
  objective: Objective = ACCURACY,
  failed = 0,
): Verdict {
  const policy = searchPolicy(alike(values.length), stopping, objective);
  const turned = objective.goal === 'maximize' ? values : values.map((value) => 1 - value);
  return judge(policy, { ...lastOf(policy, turned), ...tableOf(policy, turned, failed) });
}

function tableOf(policy: ReturnType<typeof searchPolicy>, values: readonly number[], failedCount: number) {
  const { table, entry } = lastOf(policy, values);
  return { table: { ...table, failedCount }, entry };
}

describe.each([ACCURACY, LOSS])('asha, $metric', (objective) => {
  const asha = (values: readonly number[], failed = 0) => judgeLast({ rule: 'asha' }, values, objective, failed);

  test('continues the best third and one more, and stops the rest', () => {
    expect(asha([0.1, 0.2, 0.9])).toMatchObject({ kind: 'CONTINUE', rule: 'asha@2', place: 1, cut: 2, count: 3 });
    expect(asha([0.9, 0.1, 0.8])).toMatchObject({ kind: 'CONTINUE', place: 2 });
    expect(asha([0.9, 0.8, 0.1])).toMatchObject({ kind: 'STOP', place: 3 });
    expect(asha([0.9, 0.8, 0.7, 0.6, 0.5, 0.65])).toMatchObject({ kind: 'STOP', place: 4, cut: 3, count: 6 });
  });

  test('decides nothing under 3 entries', () => {
    expect(asha([0.9])).toMatchObject({ kind: 'CONTINUE', cut: null });
    expect(asha([0.9, 0.1])).toMatchObject({ kind: 'CONTINUE', place: 2, cut: null });
    expect(asha([0.9, 0.1], 5).kind).toBe('CONTINUE');
  });

  test('continues equal runs together', () => {
    expect(asha([0.5, 0.5, 0.5, 0.5, 0.5, 0.5])).toMatchObject({ kind: 'CONTINUE', place: 1 });
    expect(asha([0.9, 0.9, 0.9, 0.5, 0.5, 0.5])).toMatchObject({ kind: 'STOP', place: 4 });
  });

  test('ranks NaN last, and failed runs below it', () => {
    expect(asha([0.5, 0.6, Number.NaN])).toMatchObject({ kind: 'STOP', place: 3 });
    expect(asha([Number.NaN, Number.NaN, 0.1])).toMatchObject({ kind: 'CONTINUE', place: 1 });
    // 2 of 3 are better; of 6, with 3 that failed, the cut is a place later.
    expect(asha([0.9, 0.8, 0.1], 3)).toMatchObject({ kind: 'CONTINUE', place: 3, cut: 3, count: 6 });
  });
});

test('asha says place, cut and the run at it', () => {
  expect(judgeLast({ rule: 'asha' }, [0.91, 0.9, 0.8, 0.87, 0.7, 0.74]).reason).toBe(
    'place 5 of 6 with 0.74; the best 3 continue (1 in 3), the last of them run 3 with 0.87',
  );
});

describe.each([ACCURACY, LOSS])('median and percentile, $metric', (objective) => {
  const stop = (rule: 'median' | 'percentile', values: readonly number[], failed = 0) =>
    judgeLast({ rule }, values, objective, failed).kind === 'STOP';

  test('stops what is worse than the median of the others', () => {
    expect(stop('median', [0.5, 0.6, 0.7, 0.8, 0.64])).toBe(true);
    expect(stop('median', [0.5, 0.6, 0.7, 0.8, 0.66])).toBe(false);
    expect(stop('median', [0.5, 0.6, 0.6, 0.8, 0.6])).toBe(false);
    expect(stop('median', [0.5, 0.6, 0.7, 0.1])).toBe(false);
    expect(stop('median', [0.5, 0.6, 0.7, 0.8, Number.NaN])).toBe(true);
  });

  test('stops the worst quarter', () => {
    expect(stop('percentile', [0.5, 0.6, 0.7, 0.8, 0.9, 0.59])).toBe(true);
    expect(stop('percentile', [0.5, 0.6, 0.7, 0.8, 0.9, 0.61])).toBe(false);
  });

  test('counts failed runs as the worst', () => {
    expect(stop('median', [0.5, 0.6, 0.7, 0.8, 0.64], 2)).toBe(false);
    expect(stop('median', [0.5, 0.6, 0.7, 0.8, 0.4], 9)).toBe(false);
  });
});

test('median takes the best value of the stage so far, and names it', () => {
  const policy = searchPolicy(alike(5), { rule: 'median' });
  const arrival = lastOf(policy, [0.5, 0.6, 0.7, 0.8, 0.4]);
  expect(judge(policy, arrival)).toMatchObject({ kind: 'STOP', rule: 'median@2' });
  const verdict = judge(policy, { ...arrival, earlier: [entryOf(4, 0.72, { epoch: 1 })] });
  expect(verdict).toMatchObject({
    kind: 'CONTINUE',
    place: 5,
    reason: 'place 5 of 5 with 0.4; best so far 0.72, the median 0.65 of 4 other runs',
  });
});

describe('paired', () => {
  /** Outcomes of 1,000 images: wrong are those from `from` on, `wrong` of them. */
  const outcomes = (from: number, wrong: number): Evidence =>
    packOutcomes(Array.from({ length: 1000 }, (_, image) => image < from || image >= from + wrong));

  function judgePaired(candidate: Evidence | null, value: number, objective = ACCURACY, count = 12) {
    const policy = searchPolicy(alike(count), { rule: 'paired' }, objective);
    const good = objective.goal === 'maximize' ? 0.95 : 0.2;
    const values = [...Array.from({ length: count - 1 }, () => good), value];
    const { table, path } = lastOf(policy, values);
    // The others are right on all images but the first 50, and have a loss of 0.2 everywhere.
    const reference = { ...outcomes(0, 50), losses: new Float32Array(1000).fill(0.2) };
    const entries = table.entries.map((entry) => ({ ...entry, evidence: reference }));
    const entry = { ...entries.at(-1)!, evidence: candidate };
    return judge(policy, {
      table: { ...table, entries: [...entries.slice(0, -1), entry] },
      entry,
      earlier: [],
      path,
    });
  }

  test('stops a run that is worse than the one at the cut, and says on how many images', () => {
    // Wrong on 31 images more, right on 12 on which the others are wrong.
    const verdict = judgePaired(outcomes(12, 69), 0.931);
    expect(verdict).toMatchObject({ kind: 'STOP', rule: 'paired@2', place: 12, cut: 5, count: 12, alpha: 0.05 });
    expect(verdict.pValue).toBe(0.00182888);
    expect(verdict.reason).toBe(
      'worse than run 4 at the cut: 31 images only that one is right on, 12 only this one, p = 0.0018 < 0.05',
    );
  });

  test('continues a run that is not distinguishable from it', () => {
    const verdict = judgePaired(outcomes(20, 50), 0.949);
    expect(verdict).toMatchObject({ kind: 'CONTINUE', pValue: 0.5 });
    expect(verdict.reason).toContain('not distinguishable from run 4 at the cut: 20 images');
  });

  test('continues without a test within the cut, and where values are equal', () => {
    expect(judgePaired(null, 0.96)).toMatchObject({ kind: 'CONTINUE', place: 1, pValue: null });
    expect(judgePaired(outcomes(500, 50), 0.95)).toMatchObject({ kind: 'CONTINUE', place: 12, pValue: null });
  });

  test('uses half the level while fewer than 12 runs have come', () => {
    expect(judgePaired(outcomes(12, 69), 0.931, ACCURACY, 11).alpha).toBe(0.025);
  });

  test('compares losses for val_loss', () => {
    const losses = Float32Array.from({ length: 1000 }, (_, image) => 0.2 + (image % 10) / 20 - 0.15);
    const verdict = judgePaired({ ...outcomes(0, 50), losses }, 0.275, LOSS);
    expect(verdict).toMatchObject({ kind: 'STOP', place: 12, alpha: 0.05 });
    expect(verdict.reason).toContain("this one's loss is 0.075 above that one's, on average over 1000 images");
  });

  test.each<[string, Evidence | null, Objective, string]>([
    ['without outcomes', null, ACCURACY, 'the trainer sent no results for each image'],
    ['without losses', outcomes(0, 500), LOSS, 'the trainer sent no finite losses for each image'],
    ['of other images', { ...outcomes(0, 500), count: 999 }, ACCURACY, 'the runs have 999 and 1000 validation images'],
    [
      'of a metric by class',
      outcomes(0, 500),
      { metric: 'val_macro_f1', goal: 'maximize' },
      'val_macro_f1 has no value for each image',
    ],
  ])('continues a run %s, with the reason', (_what, evidence, objective, reason) => {
    const verdict = judgePaired(evidence, objective.goal === 'maximize' ? 0.5 : 0.9, objective);
    expect(verdict).toMatchObject({ kind: 'CONTINUE', pValue: null });
    expect(verdict.reason).toContain(`not compared with run 4 at the cut, because ${reason}`);
  });
});

describe('threshold', () => {
  const limit = { worseThan: 0.6, fromEpoch: 3 };

  test('stops beside any rule, with its own name', () => {
    for (const rule of ['none', 'asha', 'promotion', 'threshold'] as const) {
      expect(judgeLast({ rule, threshold: limit }, [0.55])).toMatchObject({ kind: 'STOP', rule: 'threshold@2' });
      expect(judgeLast({ rule, threshold: limit }, [Number.NaN]).kind).toBe('STOP');
      expect(judgeLast({ rule, threshold: limit }, [0.6]).kind).not.toBe('STOP');
    }
  });

  test('holds for losses above it, from an epoch on', () => {
    const loss = { worseThan: 0.4, fromEpoch: 3 };
    expect(judgeLast({ rule: 'threshold', threshold: loss }, [0.55], LOSS).kind).toBe('STOP');
    expect(judgeLast({ rule: 'threshold', threshold: loss }, [0.65], LOSS).kind).toBe('CONTINUE');
    expect(judgeLast({ rule: 'threshold', threshold: { ...loss, fromEpoch: 4 } }, [0.55], LOSS).kind).toBe('CONTINUE');
  });

  test('counts the epochs that were trained, not those planned, at the end of a head that stopped early', () => {
    const runs = alike(3, { headEpochs: 30 });
    const policy = searchPolicy(runs, { rule: 'threshold', threshold: { worseThan: 0.6, fromEpoch: 20 } });
    const at = (completedEpochs: number | null) => {
      const entry = entryOf(0, 0.3, { epoch: 7, completedEpochs });
      const table = { definition: policy.ladder[0]!, entries: [entry], failedCount: 0 };
      return judge(policy, { table, entry, earlier: [], path: pathOf(policy.ladder, runs[0]!) });
    };
    expect(at(12).kind).toBe('CONTINUE');
    expect(at(25)).toMatchObject({
      kind: 'STOP',
      reason: expect.stringContaining('val_accuracy 0.3 after 25 epochs') as string,
    });
    // Not recorded: those that were planned.
    expect(at(null).kind).toBe('STOP');
  });

  test('says value, epoch and limit', () => {
    expect(judgeLast({ rule: 'threshold', threshold: limit }, [0.55]).reason).toBe(
      'val_accuracy 0.55 after 3 epochs is worse than the threshold of 0.6',
    );
  });
});

describe('patience', () => {
  const runs = alike(1, { fineTuneEpochs: 100 });
  const rungs = { head: [], fineTune: [10, 20, 30, 40] };
  const policy = searchPolicy(runs, { rule: 'patience', rungs, patience: { epochs: 20, minDelta: 0.01 } });

  function judgeAt30(at10: number, at20: number, at30: number) {
    const entry = entryOf(0, at30, { epoch: 30 });
    const earlier = [entryOf(0, at10, { epoch: 10 }), entryOf(0, at20, { epoch: 20 })];
    const table = { definition: policy.ladder[2]!, entries: [entry], failedCount: 0 };
    const path = policy.ladder.map(({ number: rung, epoch }) => {
      return { rung, stage: 'FINE_TUNE' as const, epoch: epoch ?? 100, isEnd: epoch === null };
    });
    return judge(policy, { table, entry, earlier, path });
  }

  test('stops a run without progress in `epochs` epochs', () => {
    expect(judgeAt30(0.8, 0.805, 0.79)).toMatchObject({
      kind: 'STOP',
      rule: 'patience@2',
      reason: 'no progress of more than 0.01 in 20 epochs: val_accuracy 0.8 at epoch 10, at best 0.805 since',
    });
    expect(judgeAt30(0.8, 0.82, 0.7).kind).toBe('CONTINUE');
    expect(judgeAt30(0.8, 0.7, 0.82).kind).toBe('CONTINUE');
    expect(judgeAt30(Number.NaN, 0.7, 0.6).kind).toBe('CONTINUE');
  });

  test('does not keep a head that has converged from its fine-tuning', () => {
    const heads = alike(1, { headEpochs: 30, augmented: true });
    const limited = searchPolicy(heads, { rule: 'patience', patience: { epochs: 5, minDelta: 0.01 } });
    const [first, second, end] = limited.ladder;
    const judgeAt = (definition: typeof first, value: number, epoch: number) => {
      const entry = entryOf(0, value, { epoch });
      const table = { definition: definition!, entries: [entry], failedCount: 0 };
      const earlier = [entryOf(0, 0.9, { epoch: 4 })];
      return judge(limited, { table, entry, earlier, path: pathOf(limited.ladder, heads[0]!) }).kind;
    };
    expect([first, second, end].map((rung) => rung?.epoch)).toEqual([4, 10, null]);
    expect(judgeAt(second, 0.9, 10)).toBe('STOP');
    expect(judgeAt(end, 0.9, 12)).toBe('CONTINUE');
  });

  test('knows nothing before `epochs` epochs have passed', () => {
    const limit = { epochs: 50, minDelta: 0 };
    expect(judge({ ...policy, patience: limit }, lastOf(policy, [0.1])).kind).toBe('CONTINUE');
  });
});

describe('judge', () => {
  test('pauses at rungs under promotion, with the place', () => {
    expect(judgeLast({}, [0.5, 0.6, 0.4])).toMatchObject({ kind: 'PAUSE', rule: 'promotion@2', place: 3, cut: null });
    expect(judgeLast({}, [0.5, 0.6, 0.4, 0.9, 0.8, 0.7])).toMatchObject({ place: 3, cut: 3, count: 6 });
    expect(judgeLast({}, [0.5, 0.6, 0.4, 0.9, 0.8, 0.7]).reason).toBe('place 3 of 6 with 0.7; the best 3 are promoted');
  });

  test('pauses under any rule that compares runs if the sweep is synchronous', () => {
    expect(judgeLast({ rule: 'asha', synchronous: true }, [0.9, 0.8, 0.1])).toMatchObject({ kind: 'PAUSE' });
    expect(judgeLast({ rule: 'none', synchronous: true }, [0.9, 0.8, 0.1])).toMatchObject({ kind: 'CONTINUE' });
  });

  test('pauses in a synchronous sweep without a place, which would depend on who came first', () => {
    for (const values of [[0.9], [0.9, 0.8, 0.1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]]) {
      const { kind, place, cut, reason } = judgeLast({ synchronous: true }, values);
      expect({ kind, place, cut, reason }).toEqual({
        kind: 'PAUSE',
        place: null,
        cut: null,
        reason: 'waits until every run that can come to rung 0 (fine-tuning, epoch 3) has come',
      });
    }
  });

  test('judges nothing at the end of a run', () => {
    for (const rule of ['promotion', 'asha', 'median', 'paired', 'threshold'] as const) {
      const policy = searchPolicy(alike(3), { rule, threshold: { worseThan: 0.9, fromEpoch: 1 } });
      const arrival = lastOf(policy, [0.9, 0.8, 0.1]);
      const definition = policy.ladder.at(-1)!;
      expect(judge(policy, { ...arrival, table: { ...arrival.table, definition } })).toMatchObject({
        kind: 'CONTINUE',
        reason: 'the last rung of the run: trained to its end',
      });
    }
  });

  test('continues a run whose trainer has trained on', () => {
    const policy = searchPolicy(alike(3), {});
    expect(judge(policy, { ...lastOf(policy, [0.9, 0.8, 0.1]), trainedOn: true })).toMatchObject({
      kind: 'CONTINUE',
      reason: "trained on: the trainer's version can't pause",
    });
    const asha = searchPolicy(alike(3), { rule: 'asha', minEntries: 2 });
    expect(judge(asha, { ...lastOf(asha, [0.9, 0.8, 0.1]), unreported: true })).toMatchObject({
      kind: 'CONTINUE',
      reason: 'trained on: no report came when it passed the rung',
    });
  });

  test('leaves runs that end at a rung out of the comparison', () => {
    const policy = searchPolicy(alike(4), { rule: 'asha' });
    const { table, ...arrival } = lastOf(policy, [0.9, 0.8, 0.85, 0.1]);
    const entries = table.entries.map((entry) => ({ ...entry, continues: entry.runIndex > 1 }));
    const verdict = judge(policy, { ...arrival, entry: entries.at(-1)!, table: { ...table, entries } });
    expect(verdict).toMatchObject({ kind: 'CONTINUE', place: 2, count: 2 });
  });
});

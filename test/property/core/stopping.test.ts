import fc from 'fast-check';
import { expect, test } from 'vitest';
import { promotionCut } from '../../../services/core/stopping/rung-table.ts';
import type { RungEntry } from '../../../services/core/stopping/rung-table.ts';
import { gapsOf } from '../../../services/core/stopping/decision-log.ts';
import type { LoggedDecision } from '../../../services/core/stopping/decision-log.ts';
import { replay } from '../../../services/core/stopping/replay.ts';
import type { LadderRun } from '../../../services/core/stopping/ladder.ts';
import type { StoppingRule } from '../../../services/core/sweep/search-spec.ts';
import { ACCURACY, LOSS, entryOf, searchPolicy } from '../../unit/core/support/search-inputs.ts';
import type { Outcome, World } from '../../unit/core/support/search-simulation.ts';
import { simulate } from '../../unit/core/support/search-simulation.ts';

/** Rules that compare runs: the others have no rungs without a limit. */
const RULES: readonly StoppingRule[] = ['promotion', 'asha', 'median', 'percentile', 'paired'];

/** Runs with and without heads, and with and without fine-tuning of different lengths. */
const runShape = fc
  .record({
    headEpochs: fc.constantFrom(0, 5),
    augmented: fc.boolean(),
    fineTuneEpochs: fc.constantFrom(null, 3, 9, 27),
  })
  .filter(({ headEpochs, fineTuneEpochs }) => headEpochs > 0 || fineTuneEpochs !== null);

const MAX_RUNS = 16;
const MAX_RUNGS = 4;

function perRunAndRung<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  const length = MAX_RUNS * MAX_RUNGS;
  return fc.array(arbitrary, { minLength: length, maxLength: length });
}

/** Most runs come to their next rung. */
const NO_FAULTS = [null, null, null, null, null, null, null];

/** A sweep without its timing. Few distinct values, so that many tie. */
const sweeps = fc.record({
  shapes: fc.array(runShape, { minLength: 1, maxLength: MAX_RUNS }),
  values: perRunAndRung(fc.constantFrom(0.1, 0.2, 0.3, 0.4, 0.5, Number.NaN)),
  faults: perRunAndRung(fc.constantFrom(...NO_FAULTS, 'FAILED' as const, 'INFEASIBLE' as const)),
  objective: fc.constantFrom(ACCURACY, LOSS),
  reductionFactor: fc.integer({ min: 2, max: 4 }),
});
const timings = fc.record({
  slots: fc.integer({ min: 1, max: 6 }),
  seconds: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: MAX_RUNS, maxLength: MAX_RUNS }),
});

type Sweep = typeof sweeps extends fc.Arbitrary<infer T> ? T : never;
type Timing = typeof timings extends fc.Arbitrary<infer T> ? T : never;

/** Returns worlds that differ in nothing but their timing: what is drawn once for a run and rung is kept. */
function worldsOf(sweep: Sweep, rule: StoppingRule, synchronous: boolean): (timing: Timing) => World {
  const runs = sweep.shapes.map((shape, index): LadderRun => ({ index, ...shape }));
  const { objective, reductionFactor } = sweep;
  const policy = searchPolicy(runs, { rule, synchronous, reductionFactor }, objective);
  const at = (run: number, rung: number): number => run * MAX_RUNGS + rung;
  return ({ slots, seconds }) => ({
    policy,
    runs,
    slots,
    scoreOf: (run, { rung }) => sweep.values[at(run, rung)] ?? Number.NaN,
    faultOf: (run, { rung }) => sweep.faults[at(run, rung)] ?? null,
    epochSeconds: (run) => seconds[run] ?? 1,
  });
}

function fates({ runs }: Outcome): string[] {
  return runs.map(({ status, rung }) => `${status} ${rung}`);
}

test('promotes the same runs in a synchronous sweep, in whatever order they come', () => {
  fc.assert(
    fc.property(sweeps, fc.constantFrom(...RULES), timings, timings, (sweep, rule, one, other) => {
      const world = worldsOf(sweep, rule, true);
      expect(fates(simulate(world(one)))).toEqual(fates(simulate(world(other))));
    }),
    { numRuns: 300 },
  );
});

test('never promotes more than the cut from a rung of a synchronous sweep', () => {
  fc.assert(
    fc.property(sweeps, timings, (sweep, timing) => {
      const { decisions, stored } = simulate(worldsOf(sweep, 'promotion', true)(timing));
      for (const { number } of stored.policy.ladder) {
        const promotions = decisions.filter(({ kind, rung }) => kind === 'PROMOTE' && rung === number);
        const cut = Math.max(0, ...promotions.map((promotion) => promotion.cut ?? 0));
        expect(promotions.length).toBeLessThanOrEqual(cut);
      }
    }),
    { numRuns: 200 },
  );
});

test('promotes within the cut only, except for idle slots, and no run twice from a rung', () => {
  fc.assert(
    fc.property(sweeps, timings, (sweep, timing) => {
      // A run that leaves as infeasible would free its place.
      const faults = sweep.faults.map((fault) => (fault === 'INFEASIBLE' ? null : fault));
      const { decisions, runs, stored } = simulate(worldsOf({ ...sweep, faults }, 'promotion', false)(timing));
      const promotions = decisions.filter(({ kind }) => kind === 'PROMOTE');
      const keys = promotions.map(({ runIndex, rung }) => `${runIndex} ${rung}`);
      expect(new Set(keys).size).toBe(keys.length);
      for (const { runIndex, rung, place, cut } of promotions) {
        const isIdle = runs[runIndex ?? -1]?.idleFrom.includes(rung ?? -1);
        if (isIdle !== true) expect(place).toBeLessThanOrEqual(cut ?? 0);
      }
      // The first rung: each run that came late can push one out of the cut that was promoted already.
      const first = stored.policy.ladder[0];
      const rivals = runs.filter(
        ({ path, status }) => path[0]?.rung === 0 && path.length > 1 && status !== 'INFEASIBLE',
      );
      const regular = promotions.filter(
        ({ runIndex, rung }) => rung === first?.number && runs[runIndex ?? -1]?.idleFrom.includes(0) === false,
      );
      expect(regular.length).toBeLessThan(promotionCut(rivals.length, sweep.reductionFactor) + timing.slots + 1);
    }),
    { numRuns: 200 },
  );
});

test('ends every search with every run decided, and gives each decision again from what is stored', () => {
  fc.assert(
    fc.property(sweeps, fc.constantFrom(...RULES), fc.boolean(), timings, (sweep, rule, synchronous, timing) => {
      const { decisions, end, runs, stored } = simulate(worldsOf(sweep, rule, synchronous)(timing));
      expect(end?.cause).toBe('ALL_DECIDED');
      expect(runs.filter(({ status }) => status === 'TRAINING' || status === 'BELOW')).toEqual([]);
      expect(replay(stored, decisions)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('trains at least one run to its end, if any can be', () => {
  fc.assert(
    fc.property(sweeps, fc.constantFrom(...RULES), fc.boolean(), timings, (sweep, rule, synchronous, timing) => {
      const healthy = { ...worldsOf(sweep, rule, synchronous)(timing), faultOf: () => null };
      expect(simulate(healthy).runs.some(({ status }) => status === 'DONE')).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('finds a stored decision that was changed', () => {
  fc.assert(
    fc.property(sweeps, fc.constantFrom(...RULES), timings, fc.nat(), (sweep, rule, timing, position) => {
      const { decisions, stored } = simulate(worldsOf(sweep, rule, false)(timing));
      const changed = decisions[position % decisions.length]!;
      const forged = decisions.map((decision) =>
        decision === changed ? { ...decision, kind: decision.kind === 'STOP' ? 'CONTINUE' : 'STOP' } : decision,
      ) as typeof decisions;
      expect(replay(stored, forged).map(({ decisionId }) => decisionId)).toEqual([changed.decisionId]);
    }),
    { numRuns: 100 },
  );
});

/** Returns a log without some decisions, numbered as if they had never been made. */
function renumbered(decisions: readonly LoggedDecision[]): LoggedDecision[] {
  return decisions.map((decision, index) => ({ ...decision, decisionId: index + 1 }));
}

test('finds a stored decision that is missing or stored twice, wherever it was', () => {
  fc.assert(
    fc.property(sweeps, fc.constantFrom(...RULES), fc.boolean(), timings, fc.nat(), (sweep, rule, sync, timing, at) => {
      // A run that fails after its promotion may have failed while it waited.
      const { decisions, stored } = simulate({ ...worldsOf(sweep, rule, sync)(timing), faultOf: () => null });
      expect(gapsOf(stored, decisions, true)).toEqual([]);
      const place = at % decisions.length;
      expect(gapsOf(stored, decisions.toSpliced(place, 1), true)).not.toEqual([]);
      expect(gapsOf(stored, renumbered(decisions.toSpliced(place, 1)), true)).not.toEqual([]);
      expect(gapsOf(stored, renumbered(decisions.toSpliced(place, 0, decisions[place]!)), true)).not.toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test('has no place for a result on the test split', () => {
  // @ts-expect-error An entry has the validation value only.
  const entry: RungEntry = { ...entryOf(0, 0.5), testAccuracy: 0.9 };
  expect(entry.value).toBe(0.5);
});

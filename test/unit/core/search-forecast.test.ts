import { describe, expect, it } from 'vitest';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { correctionsOf, NO_CORRECTIONS } from '../../../services/core/planner/cost/corrections.ts';
import type { Cluster } from '../../../services/core/planner/plan.ts';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import type { SweepPlanRecord } from '../../../services/core/records/plan.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { PLAIN_SPEC, range, values } from './support/specs.ts';

const CLUSTER: Cluster = {
  slotCount: 1,
  device: { kind: 'gpu', threadCount: 8 },
  memoryBytes: 0,
  corrections: NO_CORRECTIONS,
};

/** Fine-tunes that measured as long as forecast. */
const MEASURED = correctionsOf({ 'FINE_TUNE cached': 1, 'HEAD cached': 1 });

function planOf(yaml: string, runCount = 9, cluster: Partial<Cluster> = {}): SweepPlanRecord {
  const { spec, violations } = parseSweepFile(
    `dataset: { path: /data/pets }
base: { backbone: mobilenet_v2, epochs: 10, fine_tune.enabled: true, fine_tune.epochs: 27 }
parameters:
  head.units: { min: 16, max: 512 }
  head.dropout: { min: 0, max: 0.5 }
strategy: sobol
max_runs: ${runCount}
seed: 3
${yaml}`,
    { folder: '/', home: '/' },
  );
  if (violations.length > 0) throw new Error(JSON.stringify(violations));
  return previewSweep(spec, { ...CLUSTER, ...cluster }, null);
}

const RUNGS = 'rungs: { fine_tune: [3, 9] }';

describe('the forecast of a sweep with stopping', () => {
  it('counts the runs that promotion brings to each rung: 9, then 4 of 9, then 2 of 4', () => {
    const { search } = planOf(`stopping: { rule: promotion, ${RUNGS}, synchronous: true }`).cost;
    expect(search?.rungs.map(({ stage, epoch, entries }) => [stage, epoch, entries.low, entries.high])).toEqual([
      ['HEAD', null, 9, 9],
      ['FINE_TUNE', 3, 4, 4],
      ['FINE_TUNE', 9, 2, 2],
      ['FINE_TUNE', null, 1, 1],
    ]);
  });

  it('is the same whenever the same sweep is planned, and another for another seed', () => {
    const yaml = `stopping: asha`;
    expect(planOf(yaml, 24).cost.search).toEqual(planOf(yaml, 24).cost.search);
    const others = planOf(yaml, 25).cost.search;
    expect(planOf(yaml, 24).cost.search?.slotSeconds).not.toEqual(others?.slotSeconds);
  });

  it('lies below the cost without stopping, which the plan shows beside it', () => {
    const { cost } = planOf('stopping: promotion', 24, { corrections: MEASURED });
    const without = planOf('', 24, { corrections: MEASURED }).cost;
    expect(without.search).toBeNull();
    expect(cost.slotSeconds).toBe(without.slotSeconds);
    const { low, median, high } = cost.search!.slotSeconds;
    expect(low).toBeLessThan(median);
    expect(median).toBeLessThan(high);
    expect(high).toBeLessThan(0.7 * without.slotSeconds);
    // One slot: the slot time is the wall time.
    expect(cost.search!.wallSeconds.median).toBeCloseTo(median, 6);
  });

  it('is wider before the cluster has measured such work', () => {
    const width = (plan: SweepPlanRecord): number => {
      const { low, high } = plan.cost.search!.slotSeconds;
      return high / low;
    };
    const measured = planOf('stopping: promotion', 24, { corrections: MEASURED });
    expect(width(measured)).toBeLessThan(0.8 * width(planOf('stopping: promotion', 24)));
  });

  it.each(['promotion', 'asha', '{ rule: median }', 'none', 'paired'])(
    'stays within a bound on time, but for the evaluation: %s',
    (rule) => {
      const free = planOf(`stopping: ${rule}`, 24).cost;
      const bound = Math.round(0.5 * (free.search?.slotSeconds.median ?? free.slotSeconds));
      for (const key of ['slot_seconds', 'wall_time']) {
        const { search } = planOf(`stopping: ${rule}\nbudget: { ${key}: ${bound} }`, 24).cost;
        const { low, median, high } = search!.slotSeconds;
        expect(low).toBeLessThanOrEqual(median);
        expect(median).toBeLessThanOrEqual(high);
        // The work is up to exp(0.3 · 1.28) as long as forecast, but the budget is hard. The evaluation takes 10 seconds.
        expect(high).toBeLessThanOrEqual(bound + 10 * Math.exp(0.3 * 2));
      }
    },
  );

  it('stays within a budget of slot-seconds', () => {
    const { cost } = planOf('stopping: promotion', 24, { corrections: MEASURED });
    const budget = Math.round(0.6 * cost.search!.slotSeconds.median);
    const bounded = planOf(`stopping: promotion\nbudget: { slot_seconds: ${budget} }`, 24, { corrections: MEASURED });
    expect(bounded.cost.search!.slotSeconds.median).toBeLessThanOrEqual(1.02 * budget);
    expect(bounded.cost.search!.rungs.at(1)!.entries.high).toBeLessThan(cost.search!.rungs.at(1)!.entries.high);
  });

  it('uses no more slots than the sweep may have', () => {
    const wide = planOf('stopping: promotion', 24, { slotCount: 4 }).cost.search!;
    const narrow = planOf('stopping: promotion\nmax_parallel_slots: 1', 24, { slotCount: 4 }).cost.search!;
    // Indexing and features take the same time on one slot.
    expect(narrow.wallSeconds.median).toBeGreaterThan(1.25 * wide.wallSeconds.median);
  });

  it('scales what 100 of 1,000 runs cost', () => {
    const savedOf = ({ cost }: SweepPlanRecord): number => cost.slotSeconds - cost.search!.slotSeconds.median;
    const hundred = planOf('stopping: asha', 100, { corrections: MEASURED });
    const thousand = planOf('stopping: asha', 1_000, { corrections: MEASURED });
    const ratio = savedOf(thousand) / savedOf(hundred);
    expect(ratio).toBeGreaterThan(9);
    expect(ratio).toBeLessThan(11.5);
    expect(thousand.cost.search!.rungs[0]!.entries.median).toBe(1_000);
  });

  it.each(['paired', '{ rule: threshold, threshold: { worse_than: 0.5, from_epoch: 2 } }'])(
    'is absent, with the reason, for %s, which decides by values',
    (stopping) => {
      const plan = planOf(`stopping: ${stopping}`);
      expect(plan.cost.search).toBeNull();
      expect(plan.notes.join('\n')).toContain("depends on their values, and can't be forecast");
    },
  );
});

describe('the forecast of a sweep in rounds', () => {
  const spec: SweepSpec = {
    ...PLAIN_SPEC,
    strategy: 'gp',
    maxRuns: 34,
    seed: 3,
    base: { backbone: 'mobilenet_v2', epochs: 10 },
    parameters: [range('head.units', 16, 512), range('head.dropout', 0, 0.5), values('batch_size', 16, 32, 64)],
  };
  const tuned = { ...spec, base: { ...spec.base, 'fine_tune.enabled': true, 'fine_tune.epochs': 27 } };
  const previewOf = (given: SweepSpec): SweepPlanRecord =>
    previewSweep(given, { ...CLUSTER, corrections: MEASURED }, null);

  it('shows the runs of the first round, and costs all', () => {
    const plan = previewOf(spec);
    const { search, slotSeconds, headCount } = plan.cost;
    expect(plan.runs.map(({ runIndex }) => runIndex)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Math.max(...plan.tasks.flatMap(({ runIndexes }) => runIndexes))).toBe(9);
    expect(headCount).toBe(34);
    // A round is a group of its own, so that more tasks train the same heads.
    expect(search!.slotSeconds.median).toBeGreaterThan(0.95 * slotSeconds);
    expect(search!.slotSeconds.median).toBeLessThan(2.5 * slotSeconds);
  });

  it('promotes among the heads of all rounds: 34, then 12 of 34', () => {
    const { rungs } = previewOf({ ...tuned, stopping: { ...STOPPING_DEFAULTS, promoteIdle: false } }).cost.search!;
    expect(rungs.map(({ entries }) => [entries.low, entries.high]).slice(0, 2)).toEqual([
      [34, 34],
      [12, 12],
    ]);
  });

  it('leaves the heads a third of a budget, and asks for fewer rounds', () => {
    const free = previewOf(tuned).cost.search!;
    const slotSeconds = Math.round(0.8 * free.slotSeconds.median);
    const { search } = previewOf({ ...tuned, budget: { slotSeconds, wallSeconds: null, target: null } }).cost;
    expect(search!.slotSeconds.median).toBeLessThanOrEqual(1.02 * slotSeconds);
    expect(search!.rungs[1]!.entries.median).toBeGreaterThan(0);
  });

  it('knows that a space has fewer runs than max_runs asks for', () => {
    const plan = previewOf({
      ...spec,
      parameters: [values('head.units', 16, 32, 64, 128), values('head.dropout', 0, 0.2, 0.5)],
    });
    expect(plan.missingRunCount).toBe(22);
    expect(plan.notes.join(' ')).toContain('22 of 34 runs are missing: the search space has 12 different runs');
    expect(plan.cost.headCount).toBe(12);
  });

  it('scales what 100 of 1,000 runs bring to each rung', () => {
    const { rungs } = previewOf({ ...tuned, strategy: 'tpe', maxRuns: 1_000 }).cost.search!;
    expect(rungs[0]!.entries.median).toBe(1_000);
    expect(rungs[1]!.entries.low).toBeGreaterThanOrEqual(330);
    expect(rungs[1]!.entries.high).toBeLessThanOrEqual(500);
  });
});

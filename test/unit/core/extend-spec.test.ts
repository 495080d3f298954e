import { describe, expect, it } from 'vitest';
import { draftExtension, draftSweep } from '../../../services/coordinator/store/sweeps/draft-sweep.ts';
import { changedBudget, looserBounds } from '../../../services/core/sweep/change-budget.ts';
import type { BudgetChange } from '../../../services/core/sweep/change-budget.ts';
import type { SweepExtension } from '../../../services/core/sweep/extend-spec.ts';
import type { Parameters, SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { addedRunViolations, extensionViolations } from '../../../services/core/validation/validate-extension.ts';
import { specOf } from '../../integration/coordinator/harness.ts';

const NOTHING: SweepExtension = { maxRuns: null, variants: [], epochs: null, fineTuneEpochs: null, budget: null };
const RATES = { kind: 'range', min: 1e-4, max: 1e-1, scale: 'log', gridPoints: null, step: null } as const;

function drawn(changes: Partial<SweepSpec> = {}): SweepSpec {
  const parameters = [{ name: 'optimizer.learning_rate', domain: RATES, conditions: [] }];
  return specOf({ parameters, strategy: 'random', maxRuns: 3, ...changes });
}

function listed(variants: readonly Parameters[], changes: Partial<SweepSpec> = {}): SweepSpec {
  return specOf({ parameters: [], strategy: 'list', variants, ...changes });
}

interface Drafted {
  readonly spec: SweepSpec;
  readonly digests: readonly string[];
  readonly parameters: readonly Parameters[];
}

interface Row {
  readonly digest: string;
  readonly parameters: Parameters;
}

const rowsOf = (shares: readonly string[]): Row[] => shares.flatMap((share) => JSON.parse(share) as Row[]);

function submit(spec: SweepSpec): Drafted {
  const rows = rowsOf(draftSweep('s', '', spec).shares);
  return { spec, digests: rows.map(({ digest }) => digest), parameters: rows.map(({ parameters }) => parameters) };
}

/** Extends a sweep as ExtendSweep does. */
function extended({ spec, digests, parameters }: Drafted, changes: Partial<SweepExtension>) {
  const extension = { ...NOTHING, ...changes };
  const draft = draftExtension('s', extension, { spec, digests, variedNames: [] });
  const rows = rowsOf(draft.shares);
  const violations = [
    ...extensionViolations(spec, extension),
    ...addedRunViolations(spec, extension, digests.length, draft.runCount),
  ].map(({ field, description }) => `${field}: ${description}`);
  const sweep: Drafted = {
    spec: draft.runCount > 0 ? draft.spec : spec,
    digests: [...digests, ...rows.map(({ digest }) => digest)],
    parameters: [...parameters, ...rows.map((row) => row.parameters)],
  };
  return { added: rows.map((row) => row.parameters), violations, sweep };
}

const rateOf = (parameters: Parameters | undefined) => parameters?.['optimizer.learning_rate'];
const FIVE = [32, 64, 128, 256, 512].map((units) => ({ 'head.units': units }));

describe('variants of an extension', () => {
  it('are all added, whatever the bound on runs, and once', () => {
    const first = extended(submit(drawn()), { variants: FIVE });
    expect(first.violations).toEqual([]);
    // 256 is the default, which is a run already.
    expect(first.added.map((parameters) => parameters['head.units'])).toEqual([32, 64, 128, 512]);
    expect(extended(first.sweep, { variants: FIVE }).added).toEqual([]);
    expect(extended(first.sweep, { variants: FIVE }).violations).toEqual([]);
    const list = extended(submit(listed([{ epochs: 5 }, { epochs: 6 }], { maxRuns: 2 })), {
      variants: [{ epochs: 7 }],
    });
    expect(list.added.map(({ epochs }) => epochs)).toEqual([7]);
  });

  it('leave the drawn sequence as it was', () => {
    const whole = submit(drawn({ maxRuns: 6 }));
    const { sweep } = extended(submit(drawn()), { variants: FIVE.slice(0, 2) });
    const { added, violations } = extended(sweep, { maxRuns: 8 });
    expect(violations).toEqual([]);
    expect(added.map(rateOf)).toEqual(whole.parameters.slice(3).map(rateOf));
  });

  it('need a place under a bound that is given with them', () => {
    const { violations } = extended(submit(drawn()), { variants: FIVE, maxRuns: 5 });
    expect(violations).toEqual(['max_runs: must be at least 8, for 3 runs and 5 added variants; received 5.']);
  });
});

describe('an extension that adds nothing', () => {
  it('is refused, unless its runs are there', () => {
    const own = submit(listed([{ epochs: 5 }, { epochs: 6 }]));
    expect(extended(own, { epochs: 60 }).violations).toEqual([
      expect.stringMatching(/^epochs: adds no run: no run takes/),
    ]);
    const finite = submit(
      specOf({
        parameters: [{ name: 'batch_size', domain: { kind: 'values', values: [8, 16] }, conditions: [] }],
        strategy: 'random',
        maxRuns: 9,
      }),
    );
    const count = finite.digests.length;
    expect(extended(finite, { maxRuns: 20 }).violations).toEqual([
      expect.stringMatching(/^max_runs: adds no run.*no other/),
    ]);
    expect(extended(finite, { maxRuns: 9 }).violations).toEqual([]);
    const longer = extended(finite, { epochs: 7 });
    expect(longer.added).toHaveLength(count);
    expect(extended(longer.sweep, { epochs: 7 })).toMatchObject({ added: [], violations: [] });
  });

  it('or lowers epochs below the default is refused', () => {
    const base = Object.fromEntries(Object.entries(specOf().base).filter(([name]) => name !== 'epochs'));
    const violations = extensionViolations(specOf({ base }), { ...NOTHING, epochs: 1, fineTuneEpochs: 1 });
    expect(violations.map(({ field, description }) => `${field}: ${description}`)).toEqual([
      expect.stringMatching(/^epochs: must be at least 50/),
      expect.stringMatching(/^fine_tune_epochs: must be at least \d+/),
    ]);
  });

  it('or would make more runs than a sweep may have is refused', () => {
    const [violation] = addedRunViolations(drawn(), { ...NOTHING, epochs: 60 }, 9_000, 9_000);
    expect(violation).toMatchObject({
      field: 'epochs',
      description: expect.stringMatching(/18000 .*at most 10000/) as string,
    });
  });
});

describe('a changed budget', () => {
  const budget = { slotSeconds: 60, wallSeconds: null, target: { value: 0.9, confidence: 0.9 } };
  const objective = { metric: 'val_accuracy', goal: 'maximize' } as const;

  it('keeps the bounds that are not given, and is none without bounds', () => {
    expect(changedBudget(budget, { wallSeconds: 5 })).toEqual({ ...budget, wallSeconds: 5 });
    expect(changedBudget(budget, { slotSeconds: null, target: null })).toBeNull();
    expect(changedBudget(null, { target: budget.target })).toEqual({
      slotSeconds: null,
      wallSeconds: null,
      target: budget.target,
    });
  });

  it('is looser where a bound was raised or removed', () => {
    const looser = (change: BudgetChange) => looserBounds(objective, budget, changedBudget(budget, change));
    expect(looser({ slotSeconds: 61 })).toEqual({
      slotSeconds: true,
      wallSeconds: false,
      target: false,
      patience: false,
    });
    expect(looser({ slotSeconds: null })).toMatchObject({ slotSeconds: true });
    expect(looser({ slotSeconds: 59, wallSeconds: 1 })).toEqual({
      slotSeconds: false,
      wallSeconds: false,
      target: false,
      patience: false,
    });
    expect(looserBounds(objective, { ...budget, patienceRounds: 2 }, { ...budget, patienceRounds: 3 })).toMatchObject({
      patience: true,
    });
    expect(looser({ target: null })).toMatchObject({ target: true });
    expect(looser({ target: { value: 0.91, confidence: 0.9 } })).toMatchObject({ target: true });
    expect(looser({ target: { value: 0.89, confidence: 0.9 } })).toMatchObject({ target: false });
  });
});

import { describe, expect, it } from 'vitest';
import { searchNotes } from '../../../services/core/samplers/search-notes.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import { PLAIN_SPEC, range, values } from './support/specs.ts';

const FINE_TUNED = { 'fine_tune.enabled': true, 'fine_tune.epochs': 27 };

function mistakes(spec: Partial<SweepSpec>): Record<string, string> {
  const found = validateSweepSpec({ ...PLAIN_SPEC, ...spec });
  return Object.fromEntries(found.map(({ field, description }) => [field, description]));
}

function stopping(change: Partial<StoppingSpec>): StoppingSpec {
  return { ...STOPPING_DEFAULTS, ...change };
}

function rungs(fineTune: readonly number[], head: readonly number[] = []): StoppingSpec {
  return stopping({ rungs: { head, fineTune } });
}

describe('validation of how a sweep is stopped, bounded and scheduled', () => {
  it('accepts the defaults, and every part with a usual value', () => {
    expect(mistakes({ stopping: STOPPING_DEFAULTS })).toEqual({});
    expect(
      mistakes({
        base: { ...FINE_TUNED, method: 'augmented', epochs: 20 },
        objective: { metric: 'val_accuracy', goal: 'maximize' },
        stopping: stopping({
          rule: 'asha',
          rungs: { head: [5, 20], fineTune: [3, 9, 27] },
          minEntries: 1,
          threshold: { worseThan: 0.6, fromEpoch: 27 },
          patience: { epochs: 3, minDelta: 0 },
        }),
        budget: { slotSeconds: 7_200, wallSeconds: 0.5, target: { value: 0.97, confidence: 0.9 } },
        maxParallelSlots: 1,
        priority: -1_000,
        reuse: false,
      }),
    ).toEqual({});
  });

  it('reports every mistake at once', () => {
    const found = mistakes({
      objective: { metric: 'val_accuracy', goal: 'maximize' },
      base: FINE_TUNED,
      stopping: {
        rule: 'threshold',
        reductionFactor: 11,
        rungs: { head: [4], fineTune: [9, 9, 40] },
        minEntries: 0,
        percentile: 100,
        confidence: 1,
        threshold: null,
        patience: { epochs: 0, minDelta: -1 },
        keepPaused: -1,
        synchronous: false,
        promoteIdle: true,
      },
      budget: { slotSeconds: 0, wallSeconds: -5, target: { value: 97, confidence: 0.3 } },
      maxParallelSlots: 0,
      priority: 1_001,
    });
    expect(Object.keys(found)).toEqual([
      'stopping.reduction_factor',
      'stopping.min_entries',
      'stopping.percentile',
      'stopping.confidence',
      'stopping.keep_paused',
      'stopping.rungs.head',
      'stopping.rungs.fine_tune[1]',
      'stopping.rungs.fine_tune[2]',
      'stopping.threshold',
      'stopping.patience.epochs',
      'stopping.patience.min_delta',
      'budget.slot_seconds',
      'budget.wall_seconds',
      'budget.target.confidence',
      'budget.target.value',
      'max_parallel_slots',
      'priority',
    ]);
    expect(found['stopping.reduction_factor']).toBe('must be an integer from 2 to 10; received 11.');
    expect(found['stopping.rungs.fine_tune[1]']).toContain('must rise: epoch 9 follows epoch 9');
    expect(found['stopping.rungs.fine_tune[2]']).toContain('27 epochs; received 40');
    expect(found['budget.target.value']).toContain(
      'must be from 0 to 1, as the objective val_accuracy is; received 97',
    );
  });

  it.each([
    ['a value of the base', { base: FINE_TUNED }, 27],
    ['the largest of a dimension', { base: FINE_TUNED, parameters: [values('fine_tune.epochs', 5, 12)] }, 12],
    ['the end of a range', { base: FINE_TUNED, parameters: [range('fine_tune.epochs', 5, 40, { gridPoints: 3 })] }, 40],
    ['a listed variant', { strategy: 'list', variants: [{ ...FINE_TUNED, 'fine_tune.epochs': 44 }] }, 44],
    ['the default', { base: { 'fine_tune.enabled': true } }, 30],
  ] satisfies [string, Partial<SweepSpec>, number][])('bounds rungs by %s', (_, spec, last) => {
    expect(mistakes({ ...spec, stopping: rungs([last]) })).toEqual({});
    expect(mistakes({ ...spec, stopping: rungs([last + 1]) })).toEqual({
      'stopping.rungs.fine_tune[0]': `lies beyond the end of every run: the longest training of fine-tuning has ${last} epochs; received ${last + 1}.`,
    });
  });

  it('refuses rungs that no run has', () => {
    expect(mistakes({ stopping: rungs([3]) })['stopping.rungs.fine_tune']).toContain('no run is fine-tuned');
    expect(mistakes({ stopping: rungs([], [3]) })['stopping.rungs.head']).toContain('method: augmented only');
  });

  it('refuses a threshold that begins after every run has ended, counting fine-tuning where there is any', () => {
    const late = stopping({ threshold: { worseThan: 0.5, fromEpoch: 25 } });
    expect(mistakes({ base: { epochs: 20 }, stopping: late })['stopping.threshold.from_epoch']).toContain('20 epochs');
    expect(mistakes({ base: { ...FINE_TUNED, epochs: 20 }, stopping: late })).toEqual({});
  });

  it('refuses a budget without a bound, and an accuracy whose lower bound never comes', () => {
    const none = { slotSeconds: null, wallSeconds: null, target: null };
    expect(mistakes({ budget: none })).toEqual({ budget: expect.stringContaining('sets no bound') as string });
    const all = { ...none, target: { value: 1, confidence: 0.9 } };
    const objective = { metric: 'val_accuracy', goal: 'maximize' } as const;
    expect(mistakes({ objective, budget: all })['budget.target.value']).toContain('must be below 1');
    expect(mistakes({ budget: { ...none, target: { value: 1.5, confidence: 0.9 } } })).toEqual({});
  });
});

describe('notes on a rule without anything to decide', () => {
  function notes(spec: Partial<SweepSpec>): string[] {
    const whole = { ...PLAIN_SPEC, ...spec };
    return searchNotes(whole, sampleRuns(whole).runs);
  }

  it('says that every run trains to its end where none is fine-tuned', () => {
    expect(notes({ stopping: stopping({ rule: 'promotion' }) })).toEqual([
      expect.stringContaining('stopping: promotion decides nothing: no run is fine-tuned') as string,
    ]);
  });

  it('says so of promotion with rungs inside heads, where nothing pauses, and not of a rule that stops there', () => {
    const augmented = { base: { method: 'augmented', epochs: 30 } } as const;
    const rungsOfHeads = { head: [4], fineTune: [] };
    expect(notes({ ...augmented, stopping: stopping({ rule: 'promotion', rungs: rungsOfHeads }) })).toHaveLength(1);
    expect(notes({ ...augmented, stopping: stopping({ rule: 'asha' }) })).toEqual([]);
  });

  it('says of a limit that no rung ever reaches it', () => {
    const base = { ...FINE_TUNED, 'fine_tune.epochs': 27, epochs: 5 };
    const limited = (limits: Partial<StoppingSpec>): string[] =>
      notes({ base, stopping: stopping({ rule: 'promotion', ...limits }) });
    expect(limited({ threshold: { worseThan: 0.5, fromEpoch: 9 } })).toEqual([]);
    expect(limited({ threshold: { worseThan: 0.5, fromEpoch: 10 } })).toEqual([
      expect.stringContaining('stopping.threshold never acts') as string,
    ]);
    expect(limited({ patience: { epochs: 6, minDelta: 0 } })).toEqual([]);
    expect(limited({ patience: { epochs: 500, minDelta: 0 } })).toEqual([
      expect.stringContaining('stopping.patience never acts') as string,
    ]);
  });

  it.each([
    ['no stopping', {}],
    ['the rule none', { stopping: stopping({ rule: 'none' }) }],
    ['a run that is fine-tuned', { base: FINE_TUNED, stopping: STOPPING_DEFAULTS }],
    [
      'rungs of heads',
      {
        base: { method: 'augmented' },
        stopping: stopping({ rule: 'asha', rungs: { head: [3], fineTune: [] } }),
      },
    ],
  ] satisfies [string, Partial<SweepSpec>][])('says nothing with %s', (_, spec) => {
    expect(notes(spec)).toEqual([]);
  });
});

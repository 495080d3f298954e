import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import { buildSweepSchema } from '../../../services/cli/sweep-file/build-schema.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';

const folders = { folder: '/sweeps', home: '/home/me' };

const SMALLEST = 'dataset: { path: /data/pets }\n';

describe('a sweep file', () => {
  it('reads how a sweep is stopped, bounded and scheduled', () => {
    const { spec, violations } = parseSweepFile(
      `${SMALLEST}base: { fine_tune.enabled: true }
stopping: { rule: asha, rungs: { fine_tune: [3, 9] }, threshold: { worse_than: 2 }, patience: { epochs: 3 } }
budget: { slot_seconds: 7200, wall_time: 1h 30m, target: { value: 0.1 } }
max_parallel_slots: 2
priority: 10
reuse: false
`,
      folders,
    );
    expect(violations).toEqual([]);
    expect(spec).toMatchObject({
      stopping: {
        ...STOPPING_DEFAULTS,
        rule: 'asha',
        rungs: { head: [], fineTune: [3, 9] },
        threshold: { worseThan: 2, fromEpoch: 1 },
        patience: { epochs: 3, minDelta: 0 },
      },
      budget: { slotSeconds: 7_200, wallSeconds: 5_400, target: { value: 0.1, confidence: 0.9 } },
      maxParallelSlots: 2,
      priority: 10,
      reuse: false,
    });
  });

  it('reads finalists and the rule of the winner, and omits what has its default', () => {
    const read = (text: string): unknown => {
      const { spec, violations } = parseSweepFile(SMALLEST + text, folders);
      expect(violations).toEqual([]);
      return { finalists: spec.finalists, winnerRule: spec.winnerRule };
    };
    expect(read('finalists: { runs: 4, seeds: 5 }\nwinner_rule: one_standard_error')).toEqual({
      finalists: { runs: 4, seeds: 5 },
      winnerRule: 'one_standard_error',
    });
    expect(read('finalists:\nwinner_rule: best')).toEqual({ finalists: { runs: 3, seeds: 3 }, winnerRule: undefined });
    expect(read('')).toEqual({});
    const { violations } = parseSweepFile(`${SMALLEST}finalists: { seed: 2, seeds: 0 }\nwinner_rule: bets`, folders);
    expect(violations.map(({ field }) => field)).toEqual(['finalists.seed', 'finalists.seeds', 'winner_rule']);
  });

  it.each([
    ['a rule alone', 'stopping: promotion', { rule: 'promotion' }],
    ['an empty section', 'stopping:', {}],
    ['rungs that are auto', 'stopping: { rungs: auto }', {}],
  ])('reads %s as a stopping section with its defaults', (_, text, change) => {
    expect(parseSweepFile(SMALLEST + text, folders).spec.stopping).toEqual({ ...STOPPING_DEFAULTS, ...change });
  });

  it('reports every mistake of stopping and budget at once, with the nearest name', () => {
    const { violations } = parseSweepFile(
      `${SMALLEST}
base: { fine_tune.enabled: true }
stopping:
  rule: promotio
  reduction_facter: 3
  rungs: { fine_tuning: [3], fine_tune: [9, x, 4, 31] }
  threshold: { from_epoch: 2 }
  patience: 5
budget: { slot_second: 5, wall_time: 2 hours, target: { confidence: 2 } }
priority: high
`,
      folders,
    );
    expect(violations.map(({ field, description }) => `${field}: ${description}`)).toEqual([
      expect.stringMatching(
        /^stopping.rule: must be one of none, .* received 'promotio'. Did you mean 'promotion'/,
      ) as string,
      expect.stringMatching(
        /^stopping.reduction_facter: there is no such key. Did you mean 'reduction_factor'/,
      ) as string,
      expect.stringMatching(/^stopping.rungs.fine_tuning: there is no such key. Did you mean 'fine_tune'/) as string,
      expect.stringMatching(/^stopping.rungs.fine_tune\[1\]: must be an integer; received 'x'/) as string,
      expect.stringMatching(/^stopping.rungs.fine_tune\[3\]: lies beyond .* 30 epochs; received 31/) as string,
      expect.stringMatching(/^stopping.threshold.worse_than: is missing/) as string,
      expect.stringMatching(/^stopping.patience: must be a mapping/) as string,
      expect.stringMatching(/^budget.slot_second: there is no such key. Did you mean 'slot_seconds'/) as string,
      expect.stringMatching(/^budget.wall_time: must be a number of seconds, or .* received '2 hours'/) as string,
      expect.stringMatching(/^budget.target.value: is missing/) as string,
      expect.stringMatching(/^budget.target.confidence: must be at least 0.5 and below 1.* received 2/) as string,
      expect.stringMatching(/^priority: must be an integer; received 'high'/) as string,
    ]);
  });
});

describe('the JSON Schema', () => {
  const validate = new Ajv2020({ allErrors: true, strict: false }).compile(buildSweepSchema());

  it.each([
    ['a rule alone', { stopping: 'promotion' }],
    ['a whole section', { stopping: { rule: 'asha', rungs: { fine_tune: [3, 9] }, threshold: { worse_than: 1 } } }],
    ['durations', { budget: { slot_seconds: '90m', wall_time: '1h 30m', target: 0.9 } }],
    ['scheduling', { max_parallel_slots: 1, priority: -1000, reuse: false }],
  ])('accepts %s', (_name, part) => {
    expect(validate({ dataset: { path: '/x' }, ...part }), JSON.stringify(validate.errors, null, 1)).toBe(true);
  });

  it.each([
    ['an unknown rule', { dataset: { path: '/x' }, stopping: 'best' }],
    ['a reduction factor out of bounds', { dataset: { path: '/x' }, stopping: { reduction_factor: 11 } }],
    ['a duration without a unit', { dataset: { path: '/x' }, budget: { wall_time: '2 hours' } }],
  ])('refuses %s', (_name, file) => {
    expect(validate(file)).toBe(false);
  });
});

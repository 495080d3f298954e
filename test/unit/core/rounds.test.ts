import { describe, expect, test } from 'vitest';
import { describeSuggestion } from '../../../services/core/search-round/describe-suggestion.ts';
import { replayRounds } from '../../../services/core/search-round/replay-rounds.ts';
import { gapsOf } from '../../../services/core/stopping/decision-log.ts';
import type { LoggedDecision } from '../../../services/core/stopping/decision-log.ts';
import { replay } from '../../../services/core/stopping/replay.ts';
import type { RoundInputs } from '../../../services/core/stopping/decision-inputs.ts';
import type { Parameters, SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { searchInRounds } from './support/adaptive-search.ts';
import type { AdaptiveOutcome } from './support/adaptive-search.ts';
import { PLAIN_SPEC, range, values, when } from './support/specs.ts';

const HEADS: SweepSpec = {
  ...PLAIN_SPEC,
  objective: { metric: 'val_accuracy', goal: 'maximize' },
  strategy: 'gp',
  maxRuns: 34,
  base: { epochs: 5 },
  parameters: [
    range('optimizer.learning_rate', 1e-5, 1e-1, { scale: 'log' }),
    range('head.dropout', 0, 0.8),
    values('head.units', 64, 128, 256, 512),
    values('optimizer.name', 'adam', 'sgd'),
    when(range('optimizer.momentum', 0, 0.95), 'optimizer.name', 'sgd'),
    values('batch_size', 16, 32, 64, 128),
  ],
};
const TUNED: SweepSpec = { ...HEADS, base: { epochs: 5, 'fine_tune.enabled': true, 'fine_tune.epochs': 9 } };
const TUNING: SweepSpec = {
  ...TUNED,
  parameters: [...HEADS.parameters.slice(0, 2), range('fine_tune.learning_rate', 1e-6, 1e-3, { scale: 'log' })],
};

/** Best at a learning rate of 1e-3, a dropout of 0.3 and a fine-tuning rate of 1e-4. */
function scoreOf(parameters: Parameters, { stage }: { readonly stage: string } = { stage: 'HEAD' }): number {
  const rate = Math.log10(Number(parameters['optimizer.learning_rate'] ?? 1e-3)) + 3;
  const tuned = Math.log10(Number(parameters['fine_tune.learning_rate'] ?? 1e-4)) + 4;
  const gain = stage === 'FINE_TUNE' ? 0.05 - 0.02 * tuned ** 2 : 0;
  return 0.9 - 0.05 * rate ** 2 - 0.2 * (Number(parameters['head.dropout'] ?? 0.3) - 0.3) ** 2 + gain;
}

function meanOf(runs: readonly { readonly parameters: Parameters }[]): number {
  return runs.reduce((sum, { parameters }) => sum + scoreOf(parameters), 0) / runs.length;
}

const bestOf = ({ stored }: AdaptiveOutcome): number => Math.max(...stored.parameters.map((run) => scoreOf(run)));

function countsOf({ rounds }: AdaptiveOutcome): number[] {
  return rounds.map(({ length }) => length);
}

/** Returns the mistakes that a replay and the search for gaps find. */
function mistakesOf({ stored, decisions, end }: AdaptiveOutcome): unknown[] {
  const log = decisions as unknown as LoggedDecision[];
  return [
    ...replay(stored.search, decisions),
    ...replayRounds(stored, decisions),
    ...gapsOf(stored.search, log, end !== null),
  ];
}

describe.each(['gp', 'tpe'])('a sweep in rounds of %s', (strategy) => {
  test('asks for rounds of eight after the first ten runs, repeats none and finds more than Sobol points do', () => {
    const outcome = searchInRounds({ spec: { ...HEADS, strategy }, scoreOf });
    expect(countsOf(outcome)).toEqual([10, 8, 8, 8]);
    expect(outcome.end).toMatchObject({ cause: 'ALL_DECIDED' });
    const digests = outcome.rounds.flat().map(({ digest }) => digest);
    expect(new Set(digests).size).toBe(34);
    expect(mistakesOf(outcome)).toEqual([]);
    const sobol = searchInRounds({ spec: { ...HEADS, strategy, search: rounds(34, 8) }, scoreOf });
    expect(countsOf(sobol)).toEqual([34]);
    // The first round of both is the same, and TPE needs more of such small ones than fit here.
    if (strategy === 'gp') expect(bestOf(outcome)).toBeGreaterThan(bestOf(sobol));
    else expect(meanOf(outcome.rounds.slice(1).flat())).toBeGreaterThan(meanOf(sobol.rounds.flat()));
  });

  test('gives the same rounds for any durations and any number of slots', () => {
    const search = (slots: number) =>
      searchInRounds({
        spec: { ...TUNED, strategy },
        slots,
        scoreOf,
        epochSeconds: (run) => 1 + ((run * 7 + slots) % 5),
      });
    const [one, ...others] = [1, 2, 4].map(search);
    for (const other of others) expect(other.rounds).toEqual(one!.rounds);
    expect(countsOf(one!)).toEqual([10, 8, 8, 8]);
  });

  test('ends when a small space is exhausted, each point once', () => {
    const parameters = [values('head.units', 64, 128, 256, 512), values('head.dropout', 0, 0.2, 0.4, 0.6, 0.8)];
    const outcome = searchInRounds({ spec: { ...HEADS, strategy, maxRuns: 40, parameters }, scoreOf });
    expect(outcome.runs).toHaveLength(20);
    expect(new Set(outcome.rounds.flat().map(({ digest }) => digest)).size).toBe(20);
    expect(outcome.end).toMatchObject({ cause: 'SPACE_EXHAUSTED' });
    expect(outcome.end?.reason).toMatch(
      /no further round: the search space has no other point than those of its 20 runs$/,
    );
    expect(mistakesOf(outcome)).toEqual([]);
  });

  test('fills max_runs exactly where the space has as many points', () => {
    const parameters = [values('head.units', 64, 128, 256, 512), values('head.dropout', 0, 0.2, 0.4, 0.6, 0.8)];
    const outcome = searchInRounds({ spec: { ...HEADS, strategy, maxRuns: 20, parameters }, scoreOf });
    expect(outcome.runs).toHaveLength(20);
    expect(outcome.end).toMatchObject({ cause: 'ALL_DECIDED' });
  });

  test('packs a round into the group of its first run, unless packing is off', () => {
    const groupsOf = (pack: boolean): number[] => {
      const search = { startupRuns: 10, roundRuns: 8, explore: null, pack };
      const { rounds } = searchInRounds({ spec: { ...HEADS, strategy, search }, scoreOf });
      return rounds.slice(1).map(([first]) => first!.detail.groups);
    };
    expect(groupsOf(true)).toEqual([1, 1, 1]);
    expect(Math.max(...groupsOf(false))).toBeGreaterThan(1);
  });

  test('continues after runs that fail or can not be trained', () => {
    const outcome = searchInRounds({
      spec: { ...HEADS, strategy },
      scoreOf,
      faultOf: (run) => (run % 5 === 1 ? 'FAILED' : run % 5 === 2 ? 'INFEASIBLE' : null),
    });
    expect(countsOf(outcome)).toEqual([10, 8, 8, 8]);
    const why = 'a model needs 10 scored runs, and there are 6';
    expect(outcome.rounds[1]?.map(({ sampler, detail }) => [sampler, detail.why])).toEqual(
      Array(8).fill(['sobol', why]),
    );
    expect(outcome.rounds[3]?.[0]?.sampler).toBe(`${strategy}@1`);
    expect(mistakesOf(outcome)).toEqual([]);
  });

  test('leaves out points whose values contradict each other', () => {
    // ResNet takes 32 pixels or more in Keras, Xception 71.
    const parameters = [values('backbone', 'resnet50', 'xception'), range('image_size', 32, 96, { step: 32 })];
    const variants = [{ backbone: 'resnet50', image_size: 64 }];
    const outcome = searchInRounds({
      spec: { ...HEADS, strategy, parameters, variants, search: rounds(1, 1) },
      scoreOf,
    });
    const backbones = outcome.stored.parameters.map(({ backbone }) => backbone).sort();
    expect(backbones).toEqual(['resnet50', 'resnet50', 'resnet50', 'xception']);
    expect(outcome.end).toMatchObject({ cause: 'SPACE_EXHAUSTED' });
  });

  test('learns from variants outside the space', () => {
    const parameters = [range('optimizer.weight_decay', 1e-6, 1e-2, { scale: 'log' }), values('head.units', 64, 512)];
    const variants = [{}, { 'head.units': 300, 'optimizer.weight_decay': 1 }, { 'optimizer.name': 'rmsprop' }];
    const base = { ...HEADS.base, 'optimizer.name': 'adamw' };
    const outcome = searchInRounds({ spec: { ...HEADS, strategy, base, parameters, variants }, scoreOf });
    expect(countsOf(outcome)).toEqual([10, 8, 8, 8]);
    expect(outcome.rounds[0]?.map(({ sampler }) => sampler)).toEqual([
      ...Array<string>(3).fill('variant'),
      ...Array<string>(7).fill('sobol'),
    ]);
    const byModel = outcome.rounds[1]?.filter(({ sampler }) => sampler === `${strategy}@1`);
    expect(byModel).toHaveLength(strategy === 'gp' ? 8 : 6);
    expect(mistakesOf(outcome)).toEqual([]);
  });

  test('decides by values that are not numbers, infinite or equal', () => {
    const odd = (parameters: Parameters): number =>
      parameters['optimizer.name'] === 'sgd' ? Number.NaN : parameters['head.units'] === 64 ? -Infinity : 0.5;
    expect(countsOf(searchInRounds({ spec: { ...HEADS, strategy }, scoreOf: odd }))).toEqual([10, 8, 8, 8]);
  });
});

describe('promotions and rounds', () => {
  test('rounds precede promotions from the heads, which then choose among all', () => {
    const { decisions } = searchInRounds({ spec: TUNED, slots: 3, scoreOf });
    const kinds = decisions.map(({ kind }) => kind);
    expect(kinds.indexOf('PROMOTE')).toBeGreaterThan(kinds.lastIndexOf('SUGGEST'));
    expect(decisions.filter(({ kind }) => kind === 'PROMOTE')[0]).toMatchObject({ rung: 0, cut: 12 });
  });

  test('where parameters of fine-tuning vary, promotions come first, and a model of their own chooses them', () => {
    const outcome = searchInRounds({ spec: { ...TUNING, maxRuns: 60, search: rounds(12, 8) }, scoreOf });
    const kinds = outcome.decisions.map(({ kind }) => kind);
    expect(kinds.indexOf('PROMOTE')).toBeLessThan(kinds.indexOf('SUGGEST'));
    const [first] = outcome.rounds[1]!;
    expect(first).toMatchObject({ sampler: 'gp@1', detail: { scored: 12, fineTune: { sampler: 'sobol' } } });
    const last = outcome.rounds.at(-1)![0]!;
    expect(last.detail.fineTune).toMatchObject({ sampler: 'gp@1' });
    const rateOf = ({ parameters }: { parameters: Parameters }) =>
      Math.log10(Number(parameters['fine_tune.learning_rate']));
    const distance = (round: number) =>
      outcome.rounds[round]!.reduce((sum, run) => sum + Math.abs(rateOf(run) + 4), 0) / outcome.rounds[round]!.length;
    expect(distance(outcome.rounds.length - 1)).toBeLessThan(distance(0));
    expect(mistakesOf(outcome)).toEqual([]);
  });

  test('a sweep in which only fine-tuning varies trains one head', () => {
    const spec = { ...TUNING, maxRuns: 30, parameters: TUNING.parameters.slice(2) };
    const outcome = searchInRounds({ spec, scoreOf });
    expect(countsOf(outcome)).toEqual([10, 8, 8, 4]);
    expect(mistakesOf(outcome)).toEqual([]);
  });

  test('a finite number of heads is asked for again with other fine-tuning', () => {
    const parameters = [values('head.dropout', 0.1, 0.5), ...TUNING.parameters.slice(2)];
    const outcome = searchInRounds({ spec: { ...TUNING, maxRuns: 26, parameters }, scoreOf });
    expect(countsOf(outcome)).toEqual([10, 8, 8]);
    expect(new Set(outcome.rounds.flat().map(({ digest }) => digest)).size).toBe(26);
  });
});

function rounds(startupRuns: number, roundRuns: number): NonNullable<SweepSpec['search']> {
  return { startupRuns, roundRuns, explore: null, pack: true };
}

describe('bounds', () => {
  const slotSeconds = (seconds: number): NonNullable<SweepSpec['budget']> => ({
    slotSeconds: seconds,
    wallSeconds: null,
    target: null,
  });

  test('heads get 35 % of the slot-seconds where some are fine-tuned, else all', () => {
    // A head takes 5 seconds.
    const heads = ({ runs }: AdaptiveOutcome): number => runs.filter(({ rung }) => rung !== null).length;
    const tuned = searchInRounds({ spec: { ...TUNED, budget: slotSeconds(300) }, scoreOf });
    expect(heads(tuned)).toBe(21);
    expect(tuned.slotSeconds).toBeLessThanOrEqual(300);
    expect(tuned.end?.cause).toBe('BUDGET');
    expect(heads(searchInRounds({ spec: { ...HEADS, budget: slotSeconds(100) }, scoreOf }))).toBe(20);
    const unbounded = { ...HEADS, maxRuns: null, budget: slotSeconds(150) };
    expect(heads(searchInRounds({ spec: unbounded, scoreOf }))).toBe(30);
  });

  test('patience ends a search without distinguishable improvement', () => {
    const budget = { slotSeconds: null, wallSeconds: null, target: null, patienceRounds: 2 };
    const outcome = searchInRounds({
      spec: { ...HEADS, maxRuns: 100, budget },
      scoreOf: () => 0.5,
      standardError: 0.01,
    });
    expect(countsOf(outcome)).toEqual([16, 16, 16]);
    expect(outcome.end).toMatchObject({ cause: 'PATIENCE' });
    expect(outcome.end?.reason).toMatch(/no further round: 2 rounds brought no run that is distinguishably better$/);
    let better = 0;
    const improving = searchInRounds({
      spec: { ...HEADS, maxRuns: 60, budget },
      scoreOf: () => (better += 0.1),
      standardError: 0.01,
    });
    expect(improving.end).toMatchObject({ cause: 'ALL_DECIDED' });
  });
});

describe('after a screen', () => {
  const parameters = [
    values('backbone', 'mobilenet', 'mobilenet_v2', 'resnet50'),
    values('image_size', 96, 128),
    range('head.dropout', 0, 0.8),
  ];
  const target = (backbone: string, imageSize: number, isKept: boolean) =>
    ({ backbone, weights: 'imagenet', cut: null, imageSize, pooling: 'avg', isKept }) as const;
  const screened = [
    target('mobilenet', 96, true),
    target('mobilenet', 128, false),
    target('mobilenet_v2', 128, true),
    target('mobilenet_v2', 96, false),
    target('resnet50', 96, false),
    target('resnet50', 128, false),
  ];

  test.each(['gp', 'tpe'])('%s suggests nothing that was left out', (strategy) => {
    const spec = { ...HEADS, strategy, parameters };
    const { stored, decisions } = searchInRounds({ spec, scoreOf, screened });
    const later = stored.parameters.slice(10).map((run) => `${run['backbone']} ${run['image_size']}`);
    expect(later).toHaveLength(24);
    for (const name of later) expect(['mobilenet 96', 'mobilenet_v2 128']).toContain(name);
    expect(replayRounds({ ...stored, screened }, decisions)).toEqual([]);
  });
});

describe('the replay of rounds', () => {
  test('finds a changed parameter, a missing run, a missing and a doubled decision', () => {
    const { stored, decisions } = searchInRounds({ spec: HEADS, scoreOf });
    const changed = stored.parameters.with(12, { ...stored.parameters[12]!, 'head.dropout': 0.123 });
    expect(replayRounds({ ...stored, parameters: changed }, decisions)[0]).toMatchObject({
      field: 'parameters of round 1, place 3',
    });
    const fewer = { ...stored, suggestions: stored.suggestions.filter(({ runIndex }) => runIndex !== 19) };
    expect(replayRounds(fewer, decisions).map(({ field }) => field)).toContain('runs at round 2, place 2:');
    const second = decisions.findIndex(
      ({ kind, inputs }) => kind === 'SUGGEST' && (inputs as RoundInputs).rounds?.asked === 2,
    );
    expect(replayRounds(stored, decisions.toSpliced(second, 1))).toEqual([
      { decisionId: 0, field: 'decisions about round 2:', stored: 0, recomputed: 1 },
    ]);
    expect(replayRounds(stored, decisions.toSpliced(second, 0, decisions[second]!))[0]).toMatchObject({
      field: 'decisions about round 2:',
      stored: 2,
    });
  });

  test('knows the epochs and variants of before an extension', () => {
    const { stored, decisions } = searchInRounds({ spec: { ...HEADS, variants: [{ 'head.units': 32 }] }, scoreOf });
    const spec = {
      ...stored.spec,
      maxRuns: 80,
      base: { epochs: 50 },
      variants: [...stored.spec.variants, { 'head.units': 16 }],
    };
    expect(replayRounds({ ...stored, spec }, decisions)).toEqual([]);
  });
});

test('a suggestion is described in a sentence', () => {
  const objective = { metric: 'val_loss', goal: 'minimize' } as const;
  const group = { group: 1, groupRuns: 4, groups: 2 };
  const gp = { scored: 26, predicted: { value: 0.128123, deviation: 0.00912 }, logImprovement: -2.3123 };
  const at = { round: 2, position: 4 };
  expect(describeSuggestion({ ...at, sampler: 'gp@1', detail: { ...gp, ...group } }, 8, objective)).toBe(
    'suggested round 2, place 5 of 8, by gp@1 from 26 scored runs: predicted val_loss 0.1281 ± 0.0091, log-EI −2.31; ' +
      'group 1 of 2, with 3 other runs',
  );
  const tpe = { scored: 26, logRatio: 3.4567, goodCount: 3 };
  expect(
    describeSuggestion({ ...at, sampler: 'tpe@1', detail: { ...tpe, ...group, groupRuns: 1 } }, 8, objective),
  ).toBe(
    'suggested round 2, place 5 of 8, by tpe@1 from 26 scored runs: log density ratio 3.46 of the 3 best runs to the others; ' +
      'group 1 of 2, alone',
  );
  const why = 'a model needs 10 scored runs, and there are 6';
  const fineTune = { sampler: 'sobol', why } as const;
  expect(describeSuggestion({ ...at, sampler: 'gp@1', detail: { ...gp, fineTune, ...group } }, 8, objective)).toBe(
    'suggested round 2, place 5 of 8, by gp@1 from 26 scored runs: predicted val_loss 0.1281 ± 0.0091, log-EI −2.31; ' +
      `fine-tuning as the next point of the Sobol sequence: ${why}; group 1 of 2, with 3 other runs`,
  );
});

import process from 'node:process';
import { basePoint } from '../../../../services/core/samplers/baseline.ts';
import { GpModel } from '../../../../services/core/samplers/gp/gp-model.ts';
import { modelDimensions } from '../../../../services/core/samplers/model/axis.ts';
import type { HistoryRun } from '../../../../services/core/samplers/model/history.ts';
import { sampleRuns } from '../../../../services/core/samplers/sample-runs.ts';
import { TpeModel } from '../../../../services/core/samplers/tpe/tpe-model.ts';
import type { Parameters, ParameterSpec, SweepSpec } from '../../../../services/core/sweep/sweep-spec.ts';
import { atMost, seedsOf } from '../bench-result.ts';
import type { BenchResult, BenchSettings } from '../bench-result.ts';
import { meanOf } from '../paired-interval.ts';
import { noiseOf } from './model-search.ts';

const RUNS = 100;
const SUGGESTIONS = 16;
const MOST_ROUNDS = 20;
const LIMITS = { gp: 1.5, tpe: 0.1 };

const range = (name: string, min: number, max: number, scale: 'linear' | 'log' = 'linear'): ParameterSpec => {
  return { name, domain: { kind: 'range', min, max, scale, gridPoints: null, step: null }, conditions: [] };
};
const list = (name: string, ...values: readonly (string | number)[]): ParameterSpec => {
  return { name, domain: { kind: 'values', values }, conditions: [] };
};

/** Ten dimensions as sweeps have them: real numbers, integers, a list of numbers, two of names. */
const PARAMETERS: readonly ParameterSpec[] = [
  range('optimizer.learning_rate', 1e-5, 1e-1, 'log'),
  range('head.dropout', 0, 0.8),
  range('head.l2', 1e-6, 1e-2, 'log'),
  range('label_smoothing', 0, 0.3),
  range('schedule.warmup_epochs', 0, 3),
  range('epochs', 5, 60),
  list('head.units', 64, 128, 256, 512, 1024),
  list('optimizer.name', 'adam', 'sgd', 'rmsprop'),
  list('head.activation', 'relu', 'tanh', 'gelu'),
  range('optimizer.clip_norm', 0.1, 10, 'log'),
];

function specOf(seed: number): SweepSpec {
  return {
    displayName: 'cost',
    dataset: { path: '/data', splitFractions: null, allowDuplicates: false, skipBadFiles: false },
    base: {},
    parameters: PARAMETERS,
    strategy: 'sobol',
    variants: [],
    maxRuns: RUNS,
    seed,
    objective: { metric: 'val_accuracy', goal: 'maximize' },
    testPolicy: 'winner',
  };
}

function valueOf(parameters: Parameters): number {
  const rate = Math.log10(Number(parameters['optimizer.learning_rate'])) + 3;
  const units = Math.log2(Number(parameters['head.units'])) - 8;
  const optimizer = parameters['optimizer.name'] === 'adam' ? 0.1 : 0;
  return optimizer - 0.2 * rate ** 2 - (Number(parameters['head.dropout']) - 0.3) ** 2 - 0.05 * Math.abs(units);
}

/** B10, the samplers' part: processor time of a round of suggestions, with the fit. */
export async function cost({ seeds, say }: BenchSettings): Promise<BenchResult> {
  const chosen = seedsOf(Math.min(seeds, MOST_ROUNDS));
  const measured = (['gp', 'tpe'] as const).map((name) => {
    // The first round compiles the code.
    const [first = 0, ...rest] = [chosen[0] ?? 0, ...chosen].map((seed) => measureRound(name, seed));
    say(`cost: ${name} ${meanOf(rest).mean.toFixed(3)} s`);
    return { name, first, mean: meanOf(rest) };
  });
  return Promise.resolve({
    title: `B10 cost: ${SUGGESTIONS} suggestions at ${RUNS} runs of ${PARAMETERS.length} dimensions, ${chosen.length} rounds`,
    columns: [
      { title: 'sampler' },
      { title: 'processor time', align: 'right' },
      { title: 'first round of a process', align: 'right' },
    ],
    rows: measured.map(({ name, first, mean }) => [name, seconds(mean.mean), seconds(first)]),
    targets: measured.map(({ name, mean }) =>
      atMost(`${name} ≤ ${seconds(LIMITS[name])}`, mean, LIMITS[name], seconds),
    ),
    notes: [
      'Processor time of all threads, with compilation and garbage collection; the wall time of a quiet machine is lower.',
    ],
  });
}

const seconds = (value: number): string => `${value.toFixed(3)} s`;

function measureRound(name: 'gp' | 'tpe', seed: number): number {
  const spec = specOf(seed);
  const history = sampleRuns(spec).runs.map(({ index, parameters }): HistoryRun => {
    const value = valueOf(parameters) + 0.05 * noiseOf(seed, index);
    return { index, parameters, status: 'SCORED', score: { value, variance: null, rung: 0 } };
  });
  const before = process.cpuUsage();
  const Model = name === 'gp' ? GpModel : TpeModel;
  const model = new Model(modelDimensions(spec), basePoint(spec), history, { seed, round: 3 });
  for (let position = 0; position < SUGGESTIONS; position++) {
    const proposal = model.suggest(position, [], () => false);
    if (proposal === null) throw new Error(`${name} has suggested nothing at ${position}.`);
    model.add(proposal.parameters);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

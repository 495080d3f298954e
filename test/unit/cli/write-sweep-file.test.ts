import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { demoSpec, EMOJI_SCALE } from '../../../services/cli/demo/demo-sweep.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { writeSweepFile } from '../../../services/cli/sweep-file/write-sweep-file.ts';
import { sweepSpecFromProto, sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';

const EXAMPLES = new URL('../../../services/cli/examples/', import.meta.url).pathname;
const FOLDERS = { folder: '/elsewhere', home: '/home/other' };

function read(text: string): SweepSpec {
  const { spec, violations } = parseSweepFile(text, { folder: '/sweeps', home: '/home/me' });
  expect(violations).toEqual([]);
  return spec;
}

/** Expects that the written file is read back to the same spec, wherever it is saved. */
function expectRoundTrip(spec: SweepSpec): void {
  // The report writes the spec that the coordinator returns.
  const { spec: stored } = sweepSpecFromProto(sweepSpecToProto(spec));
  const { spec: again, violations } = parseSweepFile(writeSweepFile(stored), FOLDERS);
  expect(violations).toEqual([]);
  expect(sweepSpecFromProto(sweepSpecToProto(again)).spec).toEqual(stored);
}

describe('a written sweep file', () => {
  it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml')))(
    'is read back to the same spec: %s',
    (name) => {
      expectRoundTrip(read(readFileSync(join(EXAMPLES, name), 'utf8')));
    },
  );

  it('is read back to the same spec: the demo', () => {
    expectRoundTrip(demoSpec('/data/photos', EMOJI_SCALE));
  });

  it.each([
    [
      'every key',
      `display_name: "Köpfe: 100 % #1 — a"
dataset: { path: ../pets, split_fractions: { train: 0.7, validation: 0.2, test: 0.1, seed: 9 }, allow_duplicates: true, skip_bad_files: true, strict: true }
base: { weights: own/w.h5, fine_tune: { enabled: true, unfreeze: 3 } }
parameters:
  optimizer.name: [adam, sgd]
  optimizer.momentum: { values: [0, 0.9], when: { optimizer.name: sgd } }
  head.units: { min: 32, max: 512, step: 32, when: { optimizer.name: [adam, sgd] } }
  optimizer.learning_rate: { min: 1.5e-7, max: 0.1, scale: log }
variants: [{ optimizer.name: adam, head.units: 64, optimizer.learning_rate: 1e-3 }]
strategy: sobol
max_runs: 7
seed: 9007199254740991
objective: { metric: val_accuracy, goal: maximize }
test_policy: every_run
mlflow: { experiment: "a: b", register_model: "yes" }
stopping:
  rule: paired
  reduction_factor: 4
  rungs: { fine_tune: [3, 9], head: [] }
  min_entries: 5
  percentile: 33.3
  confidence: 0.95
  threshold: { worse_than: 0.2, from_epoch: 2 }
  patience: { epochs: 3, min_delta: 1e-4 }
  keep_paused: 0
  synchronous: true
  promote_idle: false
budget: { slot_seconds: 90m, wall_time: 2h 30m, target: { value: 0.97, confidence: 0.8 } }
max_parallel_slots: 2
priority: -5
reuse: false
finalists: { runs: 2, seeds: 1 }
winner_rule: one_standard_error`,
    ],
    [
      'a rule alone, a target alone',
      'dataset: { path: /d }\nbase: { fine_tune.enabled: true }\nstopping: asha\nbudget: { target: 0.5 }',
    ],
    [
      'rounds',
      `dataset: { path: /d }
parameters: { optimizer.learning_rate: { min: 1e-5, max: 1e-1, scale: log } }
strategy: tpe
max_runs: 300
search: { startup_runs: 20, round_runs: 4, explore: 0.1, pack: false }
budget: { patience_rounds: 3 }`,
    ],
    [
      'an empty search section',
      'dataset: { path: /d }\nparameters: { head.dropout: { min: 0, max: 0.5 } }\nstrategy: gp\nmax_runs: 20\nsearch:',
    ],
    ['an empty stopping section', 'dataset: { path: /d }\nstopping:'],
    [
      'a grid of points',
      'dataset: { path: /d }\nparameters: { optimizer.learning_rate: { min: 1e-5, max: 1e-1, scale: log, grid_points: 5 } }',
    ],
    [
      'names that look like other types',
      'display_name: "1e5"\ndataset: { path: "/d/~ # no" }\nbase: { fine_tune: { enabled: true, unfreeze: "12" } }\nvariants: [{}]',
    ],
  ])('is read back to the same spec: %s', (_, text) => {
    expectRoundTrip(read(text));
  });

  it('leaves out what is not set, and writes small numbers with an exponent', () => {
    const text = writeSweepFile(read('dataset: { path: pets }\nparameters: { optimizer.learning_rate: [1e-5, 0.01] }'));
    expect(text).toBe(`dataset:
  path: /sweeps/pets
parameters:
  optimizer.learning_rate: { values: [ 1e-5, 0.01 ] }
strategy: grid
seed: 0
objective:
  metric: val_loss
  goal: minimize
test_policy: winner
`);
  });
});

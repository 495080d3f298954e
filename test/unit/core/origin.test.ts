import { describe, expect, it } from 'vitest';
import { originOf } from '../../../services/core/samplers/origin.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';
import { extendSpec } from '../../../services/core/sweep/extend-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';

function read(file: string): SweepSpec {
  const { spec, violations } = parseSweepFile(`dataset: { path: /x }\n${file}`, { folder: '/', home: '/' });
  expect(violations).toEqual([]);
  return spec;
}

function originsOf(spec: SweepSpec, asked = spec): (string | null)[] {
  return sampleRuns(spec).runs.map(({ parameters }) => originOf(asked, parameters));
}

const SOBOL = 'strategy: sobol\nmax_runs: 4\nparameters: { head.dropout: { min: 0, max: 0.6 } }\n';

describe('the origin of a run', () => {
  it('is a variant, then a combination of the grid, also where combinations repeat variants', () => {
    const spec = read(
      'variants: [{ head.units: 128 }, { head.units: 64 }]\nparameters: { head.units: [64, 256, 512] }',
    );
    expect(originsOf(spec)).toEqual([
      'variant 1 of the sweep file',
      'variant 2 of the sweep file',
      'combination 2 of the grid',
      'combination 3 of the grid',
    ]);
  });

  it('is the defaults, then a point of the sequence', () => {
    expect(originsOf(read(SOBOL))).toEqual([
      'the defaults, as the baseline',
      'point 1 of the Sobol sequence',
      'point 2 of the Sobol sequence',
      'point 3 of the Sobol sequence',
    ]);
    expect(originsOf(read(SOBOL.replace('sobol', 'random'))).at(-1)).toBe('draw 3 of the random search');
  });

  it('is the same after an extension by epochs', () => {
    const spec = read(SOBOL);
    const none = { maxRuns: null, variants: [], epochs: null, fineTuneEpochs: null, budget: null };
    const longer = extendSpec(spec, { ...none, epochs: 70 });
    expect(originsOf(spec, longer)).toEqual(originsOf(spec));
    expect(originsOf(longer)).toEqual(originsOf(spec));
  });

  it('is unknown for a run of another sweep', () => {
    expect(originOf(read('parameters: { head.units: [64] }'), { 'head.units': 100 })).toBeNull();
  });
});

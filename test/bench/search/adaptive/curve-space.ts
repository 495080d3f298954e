import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolvePaths } from '../../../../services/platform/paths.ts';
import { PythonLines } from '../../../support/python-lines.ts';
import { curveOf } from '../worlds/lcbench.ts';
import type { StageCurve } from '../world.ts';
import { adaptiveVenv } from './adaptive-venv.ts';

/** Coordinates of a suggested point, from 0 to 1. */
export type SpacePoint = readonly number[];

/** The space of one task, in which each point has a curve of its own. */
export interface CurveSpace {
  readonly epochs: number;
  readonly dimensionCount: number;
  readonly curvesAt: (points: readonly SpacePoint[]) => Promise<readonly StageCurve[]>;
  /** Best final value that a long search of the space finds. */
  readonly best: number;
}

/** Cost and result of a search of a space. */
export interface SpaceOutcome {
  readonly epochs: number;
  /** Runs that were started. */
  readonly runs: number;
  /** Best final value of the space minus the best value that a run has shown after any epoch. */
  readonly regret: number;
}

/** @param epochs completed epochs of each curve */
export function spaceOutcome(
  { best }: CurveSpace,
  curves: readonly StageCurve[],
  epochs: readonly number[],
): SpaceOutcome {
  const shown = curves.flatMap(({ truths }, run) => Array.from(truths).slice(0, epochs[run] ?? 0));
  return {
    epochs: epochs.reduce((sum, count) => sum + count, 0),
    runs: curves.length,
    regret: best - Math.max(...shown),
  };
}

const DIMENSION_COUNT = 7;

/** A Python process that evaluates the LCBench surrogate of YAHPO Gym. */
export class Surrogate implements Disposable {
  readonly #lines: PythonLines;

  private constructor(lines: PythonLines) {
    this.#lines = lines;
  }

  /** Installs ONNX Runtime on first use; returns a reason where that fails or the surrogate is missing. */
  static async start(): Promise<Surrogate | { readonly reason: string }> {
    const folder =
      process.env['GRAFT_LCBENCH_SURROGATE'] ?? join(resolvePaths(process.env).cacheDir, 'lcbench-surrogate');
    const missing = ['model.onnx', 'encoding.json'].filter((file) => !existsSync(join(folder, file)));
    if (missing.length > 0) {
      return {
        reason:
          `${missing.join(' and ')} of lcbench/ in github.com/slds-lmu/yahpo_data: not in ${folder}; ` +
          'GRAFT_LCBENCH_SURROGATE names another folder.',
      };
    }
    const venv = await adaptiveVenv();
    if ('reason' in venv) return venv;
    const script = fileURLToPath(new URL('surrogate.py', import.meta.url));
    const lines = new PythonLines(venv.python, script, { GRAFT_LCBENCH_SURROGATE: folder });
    await lines.ready();
    return new Surrogate(lines);
  }

  /** Returns the space of a task. */
  async space(task: string, epochs: number): Promise<CurveSpace> {
    const { best } = (await this.#lines.ask({ do: 'best', task })) as { readonly best: number };
    return {
      epochs,
      dimensionCount: DIMENSION_COUNT,
      best,
      curvesAt: async (points) => {
        const { curves } = (await this.#lines.ask({ do: 'curves', task, points })) as {
          readonly curves: readonly { readonly values: readonly number[]; readonly seconds: readonly number[] }[];
        };
        return curves.map(({ values, seconds }) => curveOf(values, seconds));
      },
    };
  }

  [Symbol.dispose](): void {
    this.#lines.end();
  }
}

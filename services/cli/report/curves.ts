import { quantile } from '../../core/statistics/quantile.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { Stage } from '../../core/task.ts';
import { groupByKey } from './group.ts';

/** One point of a learning curve; fine-tuning epochs are numbered after the last epoch of the head. */
export interface CurvePoint {
  readonly runIndex: number;
  readonly epoch: number;
  readonly stage: Stage | null;
  /** NaN and infinities are kept. */
  readonly value: number;
}

/** Distribution of one metric over the runs that reached an epoch. */
export interface Band {
  readonly epoch: number;
  /** Quantiles of 5, 25, 50, 75 and 95 %. */
  readonly quantiles: readonly number[];
}

const STAGE_ORDER: readonly (Stage | null)[] = ['HEAD', 'FINE_TUNE'];
const BAND_QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];

/** The learning curves of all runs. */
export class Curves {
  readonly #byName = new Map<string, CurvePoint[]>();
  /** Number of head epochs by run number. */
  readonly #headEpochs = new Map<number, number>();
  readonly #fineTuned = new Set<number>();
  readonly #runs = new Set<number>();

  constructor(metrics: readonly EpochMetricRecord[], runs: readonly RunRecord[]) {
    const indexes = new Map(runs.map((run) => [run.runId, run.runIndex]));
    const trained = metrics.flatMap((metric) => {
      const runIndex = indexes.get(metric.runId);
      return runIndex === undefined || !STAGE_ORDER.includes(metric.stage) ? [] : [{ ...metric, runIndex }];
    });
    for (const { runIndex, stage, epoch } of trained) {
      this.#runs.add(runIndex);
      if (stage === 'HEAD') this.#headEpochs.set(runIndex, Math.max(this.#headEpochs.get(runIndex) ?? 0, epoch));
      else this.#fineTuned.add(runIndex);
    }
    for (const [name, rows] of groupByKey(trained, (row) => row.name)) {
      const points = rows.map(({ runIndex, stage, epoch, value }) => ({
        runIndex,
        stage,
        value,
        epoch: this.epochOf(runIndex, stage, epoch),
      }));
      this.#byName.set(
        name,
        points.sort((a, b) => a.runIndex - b.runIndex || a.epoch - b.epoch),
      );
    }
  }

  /** Names of the metrics that were recorded. */
  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /** Number of runs with a curve. */
  get runCount(): number {
    return this.#runs.size;
  }

  /** Returns the points of one metric, by run and epoch. */
  pointsOf(name: string): readonly CurvePoint[] {
    return this.#byName.get(name) ?? [];
  }

  /** Returns an epoch's number over both stages. */
  epochOf(runIndex: number, stage: Stage | null, epoch: number): number {
    return stage === 'FINE_TUNE' ? (this.#headEpochs.get(runIndex) ?? 0) + epoch : epoch;
  }

  /** Returns the first epoch of a run's fine-tuning; null before it has ended. */
  fineTuneStart(runIndex: number): number | null {
    return this.#fineTuned.has(runIndex) ? (this.#headEpochs.get(runIndex) ?? 0) + 1 : null;
  }
}

/** Returns the distribution over runs by epoch, of finite values. */
export function bandsOf(points: readonly CurvePoint[]): readonly Band[] {
  const finite = points.filter(({ value }) => Number.isFinite(value));
  return [...groupByKey(finite, ({ epoch }) => epoch)]
    .sort(([a], [b]) => a - b)
    .map(([epoch, reached]) => {
      const sorted = reached.map(({ value }) => value).sort((a, b) => a - b);
      return { epoch, quantiles: BAND_QUANTILES.map((q) => quantile(sorted, q)) };
    });
}

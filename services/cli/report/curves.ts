import { groupByKey } from '../../core/group-by-key.ts';
import { quantile } from '../../core/statistics/quantile.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { Stage } from '../../core/task.ts';

/** One point of a learning curve; fine-tuning epochs are numbered after the last epoch of the head. */
export interface CurvePoint {
  readonly epoch: number;
  readonly stage: Stage | null;
  /** NaN and infinities are kept. */
  readonly value: number;
}

/** Points by run number, by epoch. Runs that share a head have the same points, which are measured once. */
export type RunCurves = ReadonlyMap<number, readonly CurvePoint[]>;

/** Distribution of one metric over the runs with a finite value in an epoch. */
export interface Band {
  readonly epoch: number;
  /** Quantiles of 5, 25, 50, 75 and 95 %. */
  readonly quantiles: readonly number[];
}

const BAND_QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];

/** The learning curves of all runs. */
export class Curves {
  readonly #byName = new Map<string, RunCurves>();
  /** Number of head epochs by run number. */
  readonly #headEpochs = new Map<number, number>();
  readonly #fineTuned = new Set<number>();
  readonly #runs = new Set<number>();

  constructor(metrics: readonly EpochMetricRecord[], runs: readonly RunRecord[]) {
    const ordered = [...runs].sort((a, b) => a.runIndex - b.runIndex);
    const heads = metrics.filter(({ stage }) => stage === 'HEAD');
    const tunings = metrics.filter(({ stage }) => stage === 'FINE_TUNE');
    const headEpochs = new Map<string, number>();
    for (const { runId, epoch } of heads) headEpochs.set(runId, Math.max(headEpochs.get(runId) ?? 0, epoch));
    const tuned = new Set(tunings.map(({ runId }) => runId));
    for (const run of ordered) {
      const epochs = ofHead(headEpochs, run);
      if (epochs !== undefined) this.#headEpochs.set(run.runIndex, epochs);
      if (tuned.has(run.runId)) this.#fineTuned.add(run.runIndex);
      if (epochs !== undefined || tuned.has(run.runId)) this.#runs.add(run.runIndex);
    }
    const [headsByName, tuningsByName] = [heads, tunings].map((rows) => groupByKey(rows, ({ name }) => name));
    for (const name of new Set([...(headsByName?.keys() ?? []), ...(tuningsByName?.keys() ?? [])])) {
      this.#byName.set(name, this.#curvesOf(ordered, headsByName?.get(name) ?? [], tuningsByName?.get(name) ?? []));
    }
  }

  #curvesOf(
    runs: readonly RunRecord[],
    heads: readonly EpochMetricRecord[],
    tunings: readonly EpochMetricRecord[],
  ): RunCurves {
    const [headsByRun, tuningsByRun] = [pointsByRun(heads), pointsByRun(tunings)];
    const curves = new Map<number, readonly CurvePoint[]>();
    for (const run of runs) {
      const head = ofHead(headsByRun, run) ?? [];
      const tuned = (tuningsByRun.get(run.runId) ?? []).map((point) => ({
        ...point,
        epoch: this.epochOf(run.runIndex, point.stage, point.epoch),
      }));
      if (head.length + tuned.length > 0) curves.set(run.runIndex, tuned.length === 0 ? head : [...head, ...tuned]);
    }
    return curves;
  }

  /** Names of the metrics that were recorded. */
  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /** Number of runs with a curve. */
  get runCount(): number {
    return this.#runs.size;
  }

  /** Returns the curves of one metric, by run number. */
  curvesOf(name: string): RunCurves {
    return this.#byName.get(name) ?? new Map<number, readonly CurvePoint[]>();
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

/** Returns what belongs to a run's head; a shared head is recorded for the run that trained it. */
function ofHead<Value>(byRun: ReadonlyMap<string, Value>, { runId, headRunId }: RunRecord): Value | undefined {
  return byRun.get(runId) ?? (headRunId === null ? undefined : byRun.get(headRunId));
}

function pointsByRun(rows: readonly EpochMetricRecord[]): ReadonlyMap<string, readonly CurvePoint[]> {
  const points = [...groupByKey(rows, ({ runId }) => runId)].map(([runId, own]) => {
    const sorted = own.map(({ epoch, stage, value }) => ({ epoch, stage, value })).sort((a, b) => a.epoch - b.epoch);
    return [runId, sorted] as const;
  });
  return new Map(points);
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

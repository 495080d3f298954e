import { logNormalDensity } from '../../statistics/normal.ts';
import { logNormalMass, truncatedNormalQuantile } from '../../statistics/truncated-normal.ts';
import { axisEdges, cellEdges } from '../model/axis.ts';
import type { Axis, Point } from '../model/axis.ts';

/** Observations of equal weight: the latest ones. Earlier ones count less, down to 1/m of the oldest of m. */
const FULL_WEIGHT = 25;
/** Smallest bandwidth, as a part of the range. */
const MOST_KERNELS = 100;

/** Kernels of one dimension, one per observation and the prior's last. */
type Kernels =
  | {
      readonly axis: Exclude<Axis, { kind: 'choice' }>;
      readonly edges: readonly [number, number];
      readonly means: Float64Array;
      readonly deviations: Float64Array;
      /** ln of the normal mass between the edges, by kernel. */
      readonly logMasses: Float64Array;
      /** ln of the mass of a cell by kernel, filled as values are asked for; null for real numbers. */
      readonly cells: Map<number, Float64Array> | null;
    }
  | {
      readonly axis: Extract<Axis, { kind: 'choice' }>;
      /** Probability of each choice, by kernel. */
      readonly rows: readonly Float64Array[];
    };

/**
 * A mixture of one kernel per observation and a prior, over all dimensions at once: Optuna 5.0.0's multivariate Parzen estimator
 * (`samplers/_tpe/parzen_estimator.py`), extended to spaces with conditions. A kernel of an observation without a dimension is the
 * prior's there, and dimensions that a candidate does not have add nothing to its density. Without conditions it is Optuna's density.
 */
export class ParzenEstimator {
  /** Weight of each kernel, the prior's last; their sum is 1. */
  readonly weights: Float64Array;
  readonly dimensions: readonly Kernels[];

  /** @param observations points by run number; their order gives the weights. */
  constructor(axes: readonly Axis[], observations: readonly Point[]) {
    this.weights = weightsOf(observations.length);
    this.dimensions = axes.map((axis, place) => {
      const values = observations.map((point) => point[place] ?? null);
      return axis.kind === 'choice' ? choiceKernels(axis, values) : numberKernels(axis, values);
    });
  }

  /** Returns ln of the density of a point; for numbers on a logarithmic scale, of their logarithm. */
  logDensity(point: Point): number {
    const logs = this.#logTerms(point);
    const largest = maximum(logs);
    if (largest === -Infinity) return -Infinity;
    return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0));
  }

  /**
   * Returns the number of a kernel for `drawValue`, drawn by the weights and how well each one explains some given numbers.
   *
   * @param u uniform in [0, 1).
   * @param given null for each dimension that is to be drawn.
   */
  drawKernel(u: number, given: Point): number {
    const logs = this.#logTerms(given);
    const largest = maximum(logs);
    return drawPlace(largest === -Infinity ? this.weights : logs.map((log) => Math.exp(log - largest)), u);
  }

  /** Returns ln of each kernel's weight and density. */
  #logTerms(point: Point): Float64Array {
    const logs = this.weights.map(Math.log);
    this.dimensions.forEach((kernels, place) => {
      const value = point[place];
      if (value !== null && value !== undefined) addLogDensities(kernels, value, logs);
    });
    return logs;
  }

  /** Draws the number of one dimension from a kernel. @param u uniform in [0, 1). */
  drawValue(kernel: number, place: number, u: number): number {
    const kernels = this.dimensions[place];
    if (kernels === undefined) throw new RangeError(`There is no dimension ${place}.`);
    if ('rows' in kernels) return drawPlace(kernels.rows[kernel] ?? this.weights, u);
    const { axis, edges } = kernels;
    const [mean, deviation] = [kernels.means[kernel] ?? 0, kernels.deviations[kernel] ?? 1];
    const drawn = truncatedNormalQuantile(u, (edges[0] - mean) / deviation, (edges[1] - mean) / deviation);
    const scaled = mean + deviation * drawn;
    const number = axis.isLog ? Math.exp(scaled) : scaled;
    if (axis.kind === 'real') return Math.min(axis.high, Math.max(axis.low, number));
    const steps = Math.round((number - axis.low) / axis.step);
    return axis.low + axis.step * Math.min(axis.count - 1, Math.max(0, steps));
  }
}

/** Weight 1 each below 25 observations; beyond, the latest 25 have 1 and the earlier ones rise linearly from 1/m. */
function weightsOf(count: number): Float64Array {
  const ramp = count - FULL_WEIGHT;
  const weights = Float64Array.from({ length: count + 1 }, (_, place) => {
    if (place >= ramp) return 1;
    return ramp === 1 ? 1 / count : 1 / count + (place * (1 - 1 / count)) / (ramp - 1);
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function choiceKernels(axis: Extract<Axis, { kind: 'choice' }>, values: readonly (number | null)[]): Kernels {
  const kernelCount = values.filter((value) => value !== null).length + 1;
  const prior = new Float64Array(axis.count).fill(1 / axis.count);
  const rows = values.map((value) => {
    if (value === null) return prior;
    const row = new Float64Array(axis.count).fill(1 / kernelCount);
    row[value] = 1 + 1 / kernelCount;
    const sum = 1 + axis.count / kernelCount;
    return row.map((weight) => weight / sum);
  });
  return { axis, rows: [...rows, prior] };
}

function numberKernels(axis: Exclude<Axis, { kind: 'choice' }>, values: readonly (number | null)[]): Kernels {
  const edges = axisEdges(axis);
  const [low, high] = edges;
  const scaled = values.map((value) => (value === null ? null : axis.isLog ? Math.log(value) : value));
  const present = scaled.filter((mean) => mean !== null);
  const bandwidths = bandwidthsOf(present, low, high);
  const means = new Float64Array(values.length + 1);
  const deviations = new Float64Array(values.length + 1);
  let found = 0;
  [...scaled, null].forEach((mean, kernel) => {
    means[kernel] = mean ?? (low + high) / 2;
    deviations[kernel] = mean === null ? high - low : (bandwidths[found++] ?? high - low);
  });
  const logMasses = means.map((mean, kernel) => {
    const deviation = deviations[kernel] ?? 1;
    return logNormalMass((low - mean) / deviation, (high - mean) / deviation);
  });
  return { axis, edges, means, deviations, logMasses, cells: axis.kind === 'real' ? null : new Map() };
}

/** Distance to the farther neighbour, within bounds; the outermost observations have one neighbour only. */
function bandwidthsOf(means: readonly number[], low: number, high: number): Float64Array {
  const order = means.map((_, place) => place).sort((a, b) => (means[a] ?? 0) - (means[b] ?? 0));
  const sorted = [low, ...order.map((place) => means[place] ?? 0), high];
  const smallest = (high - low) / Math.min(MOST_KERNELS, means.length + 2);
  const bandwidths = new Float64Array(means.length);
  order.forEach((place, rank) => {
    const [before = low, own = low, after = high] = sorted.slice(rank, rank + 3);
    const hasTwo = means.length >= 2;
    const left = hasTwo && rank === 0 ? -Infinity : own - before;
    const right = hasTwo && rank === means.length - 1 ? -Infinity : after - own;
    bandwidths[place] = Math.min(high - low, Math.max(smallest, left, right));
  });
  return bandwidths;
}

function addLogDensities(kernels: Kernels, value: number, logs: Float64Array): void {
  if ('rows' in kernels) {
    kernels.rows.forEach((row, kernel) => {
      logs[kernel] = (logs[kernel] ?? 0) + Math.log(row[value] ?? 0);
    });
    return;
  }
  const { axis, means, deviations, logMasses, cells } = kernels;
  if (axis.kind === 'grid') {
    const masses = cells?.get(value) ?? cellMasses(kernels, axis, value);
    cells?.set(value, masses);
    for (let kernel = 0; kernel < logs.length; kernel++) logs[kernel] = (logs[kernel] ?? 0) + (masses[kernel] ?? 0);
    return;
  }
  const scaled = axis.isLog ? Math.log(value) : value;
  for (let kernel = 0; kernel < logs.length; kernel++) {
    const deviation = deviations[kernel] ?? 1;
    const z = (scaled - (means[kernel] ?? 0)) / deviation;
    logs[kernel] = (logs[kernel] ?? 0) + logNormalDensity(z) - (logMasses[kernel] ?? 0) - Math.log(deviation);
  }
}

/** Returns ln of the part of each kernel's mass that lies in the cell of a value. */
function cellMasses(
  kernels: Extract<Kernels, { means: Float64Array }>,
  axis: Extract<Axis, { kind: 'grid' }>,
  value: number,
): Float64Array {
  const [from, to] = cellEdges(axis, value);
  return kernels.means.map((mean, kernel) => {
    const deviation = kernels.deviations[kernel] ?? 1;
    return logNormalMass((from - mean) / deviation, (to - mean) / deviation) - (kernels.logMasses[kernel] ?? 0);
  });
}

/** Returns a place drawn by weights, which need not add up to 1. @param u uniform in [0, 1). */
function drawPlace(weights: Float64Array, u: number): number {
  let rest = u * weights.reduce((sum, weight) => sum + weight, 0);
  const last = weights.length - 1;
  for (let place = 0; place < last; place++) {
    rest -= weights[place] ?? 0;
    if (rest < 0) return place;
  }
  return last;
}

function maximum(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b), -Infinity);
}

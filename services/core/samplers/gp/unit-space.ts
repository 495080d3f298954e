import type { Parameters } from '../../sweep/sweep-spec.ts';
import { axisEdges } from '../model/axis.ts';
import type { Axis, ModelDimension } from '../model/axis.ts';
import type { Coordinates } from './kernel.ts';

/** A candidate: a coordinate of each dimension, also of those that don't exist in it, so that a change of a parent finds its children. */
export interface Candidate {
  /** Coordinates, none of which is NaN. */
  readonly all: Coordinates;
  /** NaN where the dimension does not exist. */
  readonly point: Coordinates;
  readonly parameters: Parameters;
  /** Places that a search must not change. */
  readonly fixed: ReadonlySet<number>;
}

/** The dimensions of a spec as the unit cube of the kernel. */
export class UnitSpace {
  readonly isChoice: readonly boolean[];
  /** Places of real numbers. */
  readonly continuous: readonly number[];
  /** Coordinates of each value of the other dimensions; null for real numbers. */
  readonly values: readonly (Float64Array | null)[];
  readonly #dimensions: readonly ModelDimension[];
  readonly #base: Parameters;

  constructor(dimensions: readonly ModelDimension[], base: Parameters) {
    this.#dimensions = dimensions;
    this.#base = base;
    this.isChoice = dimensions.map(({ axis }) => axis.kind === 'choice');
    this.continuous = dimensions.flatMap(({ axis }, place) => (axis.kind === 'real' ? [place] : []));
    this.values = dimensions.map(({ axis }) => valueCoordinates(axis));
  }

  /** Returns the coordinates of encoded numbers; null where a dimension does not exist. */
  toCoordinates(numbers: readonly (number | null)[]): Coordinates {
    return Float64Array.from(this.#dimensions, ({ axis }, place) => {
      const number = numbers[place] ?? null;
      return number === null ? Number.NaN : toCoordinate(axis, number);
    });
  }

  /**
   * Returns the candidate at a point of the unit cube: each number is moved to the nearest value of its dimension.
   *
   * @param given values that the candidate must have.
   */
  candidateAt(cube: ArrayLike<number>, given: Parameters): Candidate {
    const fixed = new Set<number>();
    const all = Float64Array.from(this.#dimensions, ({ name, axis, encode }, place) => {
      const value = given[name];
      if (value !== undefined) {
        fixed.add(place);
        return toCoordinate(axis, encode(value));
      }
      const u = cube[place] ?? 0.5;
      return axis.kind === 'real' ? u : axis.kind === 'choice' ? Math.floor(u * axis.count) : nearestOf(axis, u);
    });
    return this.candidateOf(all, fixed);
  }

  /** Returns the candidate of coordinates, with the dimensions that exist beside each other. */
  candidateOf(all: Coordinates, fixed: ReadonlySet<number>): Candidate {
    const point = new Float64Array(all.length).fill(Number.NaN);
    const parameters = { ...this.#base };
    this.#dimensions.forEach(({ name, axis, exists, decode }, place) => {
      if (!exists(parameters)) return;
      const coordinate = all[place] ?? 0;
      point[place] = coordinate;
      parameters[name] = decode(fromCoordinate(axis, coordinate));
    });
    return { all, point, parameters, fixed };
  }
}

function toCoordinate(axis: Axis, number: number): number {
  if (axis.kind === 'choice') return number;
  const [low, high] = axisEdges(axis);
  const scaled = axis.isLog ? Math.log(number) : number;
  return high === low ? 0.5 : (scaled - low) / (high - low);
}

function fromCoordinate(axis: Axis, coordinate: number): number {
  if (axis.kind === 'choice') return coordinate;
  const [low, high] = axisEdges(axis);
  const scaled = low + coordinate * (high - low);
  const number = axis.isLog ? Math.exp(scaled) : scaled;
  return axis.kind === 'real' ? number : gridNumber(axis, number);
}

/** Returns the value whose cell contains a number. */
function gridNumber(axis: Extract<Axis, { kind: 'grid' }>, number: number): number {
  const place = Math.floor((number - axis.low) / axis.step + 0.5);
  return axis.low + axis.step * Math.min(axis.count - 1, Math.max(0, place));
}

function nearestOf(axis: Extract<Axis, { kind: 'grid' }>, u: number): number {
  return toCoordinate(axis, fromCoordinate(axis, u));
}

function valueCoordinates(axis: Axis): Float64Array | null {
  if (axis.kind === 'real') return null;
  return Float64Array.from({ length: axis.count }, (_, place) =>
    axis.kind === 'choice' ? place : toCoordinate(axis, axis.low + axis.step * place),
  );
}

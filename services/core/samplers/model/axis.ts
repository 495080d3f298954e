import { normalizeValue } from '../../search-space/parameter-value.ts';
import type { Parameters, ParameterValue } from '../../sweep/sweep-spec.ts';
import { dimensionExists, effectiveValue, orderDimensions } from '../dimensions.ts';
import type { Dimension } from '../dimensions.ts';
import { listValues, roundReal } from '../domain.ts';
import type { SweepSpec } from '../../sweep/sweep-spec.ts';

/**
 * One dimension as a model sees it: a number per value.
 *
 * - `real`: the value itself, on a linear or logarithmic scale;
 * - `grid`: equidistant numbers: integers and steps themselves, the place in the sorted list for listed numbers, which so keep
 *   their order;
 * - `choice`: the place in the list of strings or switches, without an order.
 */
export type Axis =
  | { readonly kind: 'real'; readonly isLog: boolean; readonly low: number; readonly high: number }
  | {
      readonly kind: 'grid';
      readonly isLog: boolean;
      readonly low: number;
      readonly step: number;
      readonly count: number;
    }
  | { readonly kind: 'choice'; readonly count: number };

/** A dimension for a model. */
export interface ModelDimension {
  readonly name: string;
  readonly axis: Axis;
  /** Returns whether the dimension exists beside the values of all dimensions before it. */
  readonly exists: (chosen: Parameters) => boolean;
  /**
   * Returns the number of a value. A listed variant may have one that the dimension can't: a number is moved to the nearest one of
   * the dimension, another choice is -1, which differs from all.
   */
  readonly encode: (value: ParameterValue) => number;
  /** Returns the value of a number, rounded as drawn values are. */
  readonly decode: (number: number) => ParameterValue;
}

/** Numbers of a run by position of `modelDimensions`; null where the dimension does not exist in it. */
export type Point = readonly (number | null)[];

/** Returns the dimensions of a spec for a model, parents before their children. */
export function modelDimensions(spec: Pick<SweepSpec, 'parameters'>): ModelDimension[] {
  return orderDimensions(spec.parameters).map(modelDimension);
}

/** Returns the numbers of a run's parameters. */
export function encodePoint(dimensions: readonly ModelDimension[], parameters: Parameters): Point {
  return dimensions.map(({ name, exists, encode }) => {
    // Canonical parameters omit some defaults.
    const value = exists(parameters) ? (parameters[name] ?? effectiveValue(parameters, name)) : undefined;
    return value === undefined ? null : encode(value);
  });
}

/** Returns the edges between which the values of an axis lie, logarithmic where it is: half a step beyond the ends of a grid. */
export function axisEdges(axis: Exclude<Axis, { kind: 'choice' }>): readonly [number, number] {
  const high = axis.kind === 'real' ? axis.high : axis.low + axis.step * (axis.count - 1);
  const half = axis.kind === 'real' ? 0 : axis.step / 2;
  const [from, to] = [axis.low - half, high + half];
  if (!axis.isLog) return [from, to];
  // A step that is longer than twice the lowest value has no edge below it: half of the value then.
  return [Math.log(from > 0 ? from : axis.low / 2), Math.log(to)];
}

/** Returns the edges of the cell of one value of a grid, logarithmic where the axis is. */
export function cellEdges(axis: Extract<Axis, { kind: 'grid' }>, value: number): readonly [number, number] {
  const [from, to] = [value - axis.step / 2, value + axis.step / 2];
  return axis.isLog ? [Math.log(from > 0 ? from : axis.low / 2), Math.log(to)] : [from, to];
}

function modelDimension(dimension: Dimension): ModelDimension {
  const exists = (chosen: Parameters): boolean => dimensionExists(dimension, chosen);
  return { name: dimension.spec.name, exists, ...axisOf(dimension) };
}

function axisOf({ definition, spec: { domain } }: Dimension): Omit<ModelDimension, 'name' | 'exists'> {
  if (domain.kind === 'range') {
    const { min, max, scale, step } = domain;
    const isLog = scale === 'log';
    if (step === null && definition.type !== 'int') {
      const axis: Axis = { kind: 'real', isLog, low: min, high: max };
      return {
        axis,
        encode: (value) => Math.min(max, Math.max(min, Number(value))),
        decode: (number) => roundReal(domain, definition, number),
      };
    }
    const { count, at } = listValues(domain, definition);
    const width = step ?? 1;
    const axis: Axis = { kind: 'grid', isLog, low: min, step: width, count };
    const last = Number(at(count - 1));
    const encode = (value: ParameterValue): number => Math.min(last, Math.max(min, Number(value)));
    return { axis, encode, decode: (number) => at(Math.round((number - min) / width)) };
  }
  const values = domain.values.map((value) => normalizeValue(definition, value));
  const isOrdered = values.every((value) => typeof value === 'number');
  const ordered = isOrdered ? values.toSorted((a, b) => a - b) : values;
  const { length: count } = ordered;
  return {
    axis: isOrdered ? { kind: 'grid', isLog: false, low: 0, step: 1, count } : { kind: 'choice', count },
    encode: (value) => {
      const place = ordered.indexOf(normalizeValue(definition, value));
      return place === -1 && isOrdered ? nearestPlace(ordered.map(Number), Number(value)) : place;
    },
    decode: (number) => ordered[number] ?? definition.default ?? 0,
  };
}

function nearestPlace(ordered: readonly number[], value: number): number {
  const distances = ordered.map((one) => Math.abs(one - value));
  return distances.indexOf(Math.min(...distances));
}

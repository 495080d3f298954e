import type { StageCurve } from '../world.ts';
import { lastOf } from '../world.ts';
import type { LcBench } from '../worlds/lcbench.ts';

/** Coordinates of a suggested point, from 0 to 1. */
export type SpacePoint = readonly number[];

/** The space of one task: a point has the curve of the nearest recorded configuration. */
export interface CurveSpace {
  readonly epochs: number;
  readonly dimensionCount: number;
  readonly curveAt: (point: SpacePoint) => StageCurve;
  /** Best final value of all configurations. */
  readonly best: number;
}

export function curveSpace(data: LcBench, task: number): CurveSpace {
  const { coordinates, epochs } = data;
  const curves = coordinates.map((_, configuration) => data.curve(task, configuration));
  const squaredDistance = (a: SpacePoint, b: SpacePoint): number =>
    a.reduce((sum, value, place) => sum + (value - (b[place] ?? 0)) ** 2, 0);
  const nearest = (point: SpacePoint): StageCurve => {
    const distances = coordinates.map((other) => squaredDistance(point, other));
    const found = curves[distances.indexOf(Math.min(...distances))];
    if (found === undefined) throw new Error('There is no configuration.');
    return found;
  };
  return {
    epochs,
    dimensionCount: coordinates[0]?.length ?? 0,
    curveAt: nearest,
    best: Math.max(...curves.map(({ truths }) => lastOf(truths))),
  };
}

/** A search of a space: what it cost, and its best run that was trained to its end. */
export interface SpaceOutcome {
  readonly epochs: number;
  /** Runs that were started. */
  readonly runs: number;
  /** Best final value of the space minus that of the runs that were trained to their end. */
  readonly regret: number;
}

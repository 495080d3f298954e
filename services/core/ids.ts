/** Returns the identity of a run: the sweep's with the run's number, padded so that up to 1,000 runs sort by number. */
export function runIdOf(sweepId: string, index: number): string {
  return `${sweepId}-r${String(index).padStart(3, '0')}`;
}

/** Returns the identity of the INDEX task, the first task of each sweep, which exists before the plan. */
export function indexTaskIdOf(sweepId: string): string {
  return `${sweepId}-t00`;
}

/** Returns the identity of a planned task; `position` counts from 1 in the order of the plan. */
export function taskIdOf(sweepId: string, position: number): string {
  return `${sweepId}-t${String(position).padStart(2, '0')}`;
}

/** Returns the identity of a PROBE task, which is planned before the features; `position` counts from 1. */
export function probeTaskIdOf(sweepId: string, position: number): string {
  return `${sweepId}-p${String(position).padStart(2, '0')}`;
}

/** Returns the identity of an EVALUATE task, which is planned when all training has ended; `position` counts from 1. */
export function evaluationTaskIdOf(sweepId: string, position: number): string {
  return `${sweepId}-e${String(position).padStart(2, '0')}`;
}

/** Returns the identity of a data set. */
export function datasetIdOf(digest: string): string {
  return `d${digest.slice(0, 16)}`;
}

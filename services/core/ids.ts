/** Identity of a run: the sweep's and its number, padded so that text order is number order up to 1,000 runs. */
export function runIdOf(sweepId: string, index: number): string {
  return `${sweepId}-r${String(index).padStart(3, '0')}`;
}

/** Identity of the INDEX task, the first task of each sweep, made before anything can be planned. */
export function indexTaskIdOf(sweepId: string): string {
  return `${sweepId}-t00`;
}

/** Identity of a planned task; `position` counts from 1 in the order of the plan. */
export function taskIdOf(sweepId: string, position: number): string {
  return `${sweepId}-t${String(position).padStart(2, '0')}`;
}

/** Identity of an EVALUATE task; `position` counts from 1. They are planned when all training has ended. */
export function evaluationTaskIdOf(sweepId: string, position: number): string {
  return `${sweepId}-e${String(position).padStart(2, '0')}`;
}

/** Identity of a data set. */
export function datasetIdOf(digest: string): string {
  return `d${digest.slice(0, 16)}`;
}

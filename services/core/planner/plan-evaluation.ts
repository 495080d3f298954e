import { evaluationTaskIdOf } from '../ids.ts';
import type { Objective } from '../objective.ts';
import { isBetter } from '../objective.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { TestRole } from '../task.ts';
import { baseKey } from './cost/plan-cost.ts';
import { groupBy } from './grouping.ts';
import type { PlannedEvaluation, PlannedRun } from './plan.ts';

export interface FinishedRun extends PlannedRun {
  /** Best objective value by validation; null or not finite: the run has no checkpoint worth a look. */
  readonly bestValue: number | null;
}

export interface EvaluationInput {
  readonly sweepId: string;
  readonly objective: Objective;
  readonly testPolicy: SweepSpec['testPolicy'];
  readonly runs: readonly FinishedRun[];
}

/**
 * The looks at the test split, planned when all training has ended: the winner by validation and the first run as the
 * baseline, or every run that has a value. Runs with the same base share a task, because one pass over the test images
 * serves them. A run that is both winner and baseline is the winner. No values, no tasks.
 */
export function planEvaluation(input: EvaluationInput): PlannedEvaluation[] {
  const candidates = input.runs
    .filter((run) => run.bestValue !== null && Number.isFinite(run.bestValue))
    .sort((a, b) => a.index - b.index);
  const winner = findWinner(input.objective, candidates);
  const roles = new Map<string, TestRole>();
  for (const run of candidates) {
    const role = roleOf(run, winner, input.testPolicy);
    if (role !== null) roles.set(run.runId, role);
  }
  const chosen = candidates.filter((run) => roles.has(run.runId));
  return groupBy(chosen, ({ config }) => baseKey(config)).map((group, position) => ({
    taskId: evaluationTaskIdOf(input.sweepId, position + 1),
    stage: 'EVALUATE',
    runIds: group.map((run) => run.runId),
    featureSets: [],
    dependsOn: [],
    description: `test images through ${group[0]?.config.backbone.name ?? ''} for ${describeRoles(group, roles)}`,
    roles: Object.fromEntries(group.map((run) => [run.runId, roles.get(run.runId) ?? 'EVERY_RUN'])),
  }));
}

/** The best run by the objective; of equal ones the first. Null where no run has a value. */
export function findWinner(objective: Objective, runs: readonly FinishedRun[]): FinishedRun | null {
  let winner: FinishedRun | null = null;
  for (const run of [...runs].sort((a, b) => a.index - b.index)) {
    if (run.bestValue !== null && isBetter(objective, run.bestValue, winner?.bestValue ?? null)) winner = run;
  }
  return winner;
}

function roleOf(run: FinishedRun, winner: FinishedRun | null, policy: SweepSpec['testPolicy']): TestRole | null {
  if (run.runId === winner?.runId) return 'WINNER';
  if (run.index === 0) return 'BASELINE';
  return policy === 'every_run' ? 'EVERY_RUN' : null;
}

function describeRoles(group: readonly FinishedRun[], roles: ReadonlyMap<string, TestRole>): string {
  const named = group.map((run) => roles.get(run.runId));
  const others = named.filter((role) => role === 'EVERY_RUN').length;
  const parts = [
    ...(named.includes('WINNER') ? ['the winner'] : []),
    ...(named.includes('BASELINE') ? ['the baseline'] : []),
    ...(others > 0 ? [others === 1 ? 'one other run' : `${others} other runs`] : []),
  ];
  return parts.join(' and ');
}

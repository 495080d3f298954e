import { evaluationTaskIdOf } from '../ids.ts';
import type { Objective } from '../objective.ts';
import { canBeBest, findBest } from '../ranking.ts';
import type { RankedRun } from '../ranking.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { TestRole } from '../task.ts';
import { baseKey } from './cost/plan-cost.ts';
import { groupBy } from './grouping.ts';
import type { PlannedEvaluation, PlannedRun } from './plan.ts';

/** A run that has ended, with its ranking values. A run that can't be the best one has no checkpoint to evaluate. */
export interface FinishedRun extends PlannedRun, Omit<RankedRun, 'runIndex'> {}

export interface EvaluationInput {
  readonly sweepId: string;
  readonly objective: Objective;
  readonly testPolicy: SweepSpec['testPolicy'];
  readonly runs: readonly FinishedRun[];
  /** true if run 0 is the baseline that the winner is compared with (`firstRunIsBaseline`). */
  readonly hasBaseline: boolean;
  /** Run that the rule of the spec chose. Default: the best one by its value. */
  readonly winnerRunId?: string | null;
  /** Runs that earlier evaluations of a reopened sweep were for, whatever became of them. Default: none. */
  readonly evaluatedRunIds?: ReadonlySet<string>;
  /** Number of these evaluations. Default: 0. */
  readonly evaluationCount?: number;
}

/** Returns the runs to be evaluated on the test split, by number, each with its role. */
export function testRolesOf(input: Omit<EvaluationInput, 'sweepId'>): ReadonlyMap<string, TestRole> {
  const candidates = candidatesOf(input);
  const chosen = candidates.find(({ runId }) => runId === input.winnerRunId);
  const winner = chosen ?? findBest(input.objective, candidates);
  const roles = new Map<string, TestRole>();
  for (const run of candidates) {
    const role = roleOf(run, winner, input);
    if (role !== null) roles.set(run.runId, role);
  }
  return roles;
}

/**
 * Plans the evaluations on the test split after all training has ended: the winner by validation and the baseline, if
 * there is one, or every run with a value. Runs with the same base share a task, because one pass over the test images
 * serves them. A run that is both winner and baseline is evaluated as the winner. Without values there are no tasks. In a sweep that
 * was reopened, runs that were evaluated before are not evaluated again.
 */
export function planEvaluation(input: EvaluationInput): PlannedEvaluation[] {
  const { sweepId, evaluatedRunIds, evaluationCount = 0 } = input;
  const roles = testRolesOf(input);
  const chosen = candidatesOf(input).filter(({ runId }) => roles.has(runId) && evaluatedRunIds?.has(runId) !== true);
  return groupBy(chosen, ({ config }) => baseKey(config)).map((group, position) => ({
    taskId: evaluationTaskIdOf(sweepId, evaluationCount + position + 1),
    stage: 'EVALUATE',
    runIds: group.map((run) => run.runId),
    featureSets: [],
    dependsOn: [],
    description: `test images through ${group[0]?.config.backbone.name ?? ''} for ${describeRoles(group, roles)}`,
    roles: Object.fromEntries(group.map((run) => [run.runId, roles.get(run.runId) ?? 'EVERY_RUN'])),
  }));
}

function candidatesOf({ runs }: Pick<EvaluationInput, 'runs'>): (FinishedRun & RankedRun)[] {
  return runs
    .filter(canBeBest)
    .map((run) => ({ ...run, runIndex: run.index }))
    .sort((a, b) => a.index - b.index);
}

function roleOf(
  run: FinishedRun,
  winner: FinishedRun | null,
  { hasBaseline, testPolicy }: Pick<EvaluationInput, 'hasBaseline' | 'testPolicy'>,
): TestRole | null {
  if (run.runId === winner?.runId) return 'WINNER';
  if (run.index === 0 && hasBaseline) return 'BASELINE';
  return testPolicy === 'every_run' ? 'EVERY_RUN' : null;
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

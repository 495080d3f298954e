import { simulateSearch, tunedEpochs } from '../../../../services/core/planner/search/simulate-search.ts';
import type { SimulatedSearch } from '../../../../services/core/planner/search/simulate-search.ts';
import type { RunWork } from '../../../../services/core/planner/search/search-work.ts';
import type { Evidence } from '../../../../services/core/statistics/evidence.ts';
import type { Spending } from '../../../../services/core/stopping/budget.ts';
import type { StoredSearch } from '../../../../services/core/stopping/decision-inputs.ts';
import type { LadderRun, RungStep } from '../../../../services/core/stopping/ladder.ts';
import { pathOf } from '../../../../services/core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../../services/core/stopping/policy.ts';
import type { StoredDecision } from '../../../../services/core/stopping/replay.ts';
import type { SearchRun } from '../../../../services/core/stopping/search-state.ts';

/** A search in which each head is a task by itself, and an epoch takes the same time in both stages. */
export interface World {
  readonly policy: SearchPolicy;
  readonly runs: readonly LadderRun[];
  readonly slots: number;
  readonly scoreOf: (run: number, step: RungStep) => number;
  readonly evidenceOf?: (run: number, step: RungStep) => Evidence;
  /** Seconds of an epoch; 1 where absent. */
  readonly epochSeconds?: (run: number) => number;
  /** Returns how a run ends on its way to a step, other than by coming there. */
  readonly faultOf?: (run: number, step: RungStep) => 'FAILED' | 'INFEASIBLE' | null;
  readonly budget?: Spending['budget'];
}

export interface Outcome extends SimulatedSearch {
  readonly decisions: readonly StoredDecision[];
  readonly stored: StoredSearch;
  /** Epochs that were trained to a rung, both stages. */
  readonly epochs: number;
}

export function simulate({ policy, runs, slots, scoreOf, evidenceOf, epochSeconds, faultOf, budget }: World): Outcome {
  const decisions: StoredDecision[] = [];
  const secondsOf = epochSeconds ?? ((): number => 1);
  const withHead = runs.filter(({ headEpochs }) => headEpochs > 0);
  const search = simulateSearch({
    policy,
    work: {
      shared: withHead.map(({ index, headEpochs }) => ({
        seconds: headEpochs * secondsOf(index),
        dependsOn: [],
        heads: [index],
      })),
      runs: runs.map((run): RunWork => ({
        index: run.index,
        path: pathOf(policy.ladder, run),
        headWork: run.headEpochs > 0 ? withHead.indexOf(run) : null,
        headGroup: run.index,
        fineTune:
          run.fineTuneEpochs === null ? null : { fixedSeconds: 0, epochSeconds: secondsOf(run.index), features: [] },
      })),
      scale: 1,
    },
    slotCount: slots,
    budget: budget ?? null,
    measure: (run, step) => ({
      value: scoreOf(run, step),
      standardError: null,
      epoch: step.epoch,
      completedEpochs: step.epoch,
      evidence: evidenceOf?.(run, step) ?? null,
    }),
    faultOf: faultOf ?? ((): null => null),
    // As from the database.
    onDecision: (decision) => decisions.push(JSON.parse(JSON.stringify(decision)) as StoredDecision),
  });
  const stored = { policy, rungs: search.rungs, paths: search.runs.map(({ path }) => path) };
  const epochs = search.runs.reduce((sum, run) => sum + headEpochs(run) + tunedEpochs(run), 0);
  return { ...search, decisions, stored, epochs };
}

function headEpochs({ path, rung: reached }: SearchRun): number {
  return path.findLast(({ stage, rung }) => stage === 'HEAD' && rung <= (reached ?? -1))?.epoch ?? 0;
}

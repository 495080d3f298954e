import { simulateSearch, tunedEpochs } from '../../../services/core/planner/search/simulate-search.ts';
import type { RunWork } from '../../../services/core/planner/search/search-work.ts';
import type { Promotion } from '../../../services/core/stopping/action.ts';
import type { Measurement } from '../../../services/core/stopping/enter-rung.ts';
import { ladderOf, pathOf } from '../../../services/core/stopping/ladder.ts';
import type { RungStep } from '../../../services/core/stopping/ladder.ts';
import { policyOf } from '../../../services/core/stopping/policy.ts';
import type { SearchPolicy } from '../../../services/core/stopping/policy.ts';
import { STOPPING_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { BudgetSpec, StoppingSpec } from '../../../services/core/sweep/search-spec.ts';
import { outcomeOf } from './outcome.ts';
import type { Arrival, Outcome, Trained } from './outcome.ts';
import { bestEpoch, lastOf } from './world.ts';
import type { World, WorldRun } from './world.ts';

export interface GraftSearchOptions {
  /** Keys of the sweep file's `stopping` section; the others have their defaults. */
  readonly stopping: Partial<StoppingSpec>;
  readonly slots: number;
  readonly budget?: BudgetSpec;
  /** Forecast of work, as a multiple of what it takes; default 1. */
  readonly forecastFactor?: number;
}

/** A search that has ended, with what was decided about whom. */
export interface GraftOutcome extends Outcome {
  /** Runs that a rule stopped while they trained. */
  readonly stopped: readonly number[];
  readonly promotions: readonly Promotion[];
  /** Arrivals at rungs and ends, in their order. */
  readonly arrivals: readonly Arrival[];
}

/** Searches a world on a virtual clock, with the functions that the coordinator calls. A promise, as of a peer. */
export function searchWithGraft(world: World, options: GraftSearchOptions): Promise<GraftOutcome> {
  return Promise.resolve(searched(world, options));
}

function searched(world: World, { stopping, slots, budget, forecastFactor = 1 }: GraftSearchOptions): GraftOutcome {
  const policy = policyFor(world, stopping);
  const epochSeconds = forecastFactor * meanEpochSeconds(world);
  const arrivals: Arrival[] = [];
  const search = simulateSearch({
    policy,
    work: {
      shared: world.shared.map(({ seconds, after, runs }) => ({
        seconds,
        dependsOn: after === null ? [] : [after],
        heads: runs,
      })),
      runs: world.runs.map((run) => workOf(world, policy, run, epochSeconds)),
      scale: 1,
    },
    slotCount: slots,
    budget: budget ?? null,
    measure: (run, step, slotSeconds) => {
      if (step.stage === 'FINE_TUNE' || step.isEnd)
        arrivals.push({ slotSeconds, run, trained: trainedTo(world, run, step) });
      return measure(world, run, step);
    },
  });
  const trained = search.runs.map((run) => ({
    head: run.path.some(({ stage, isEnd, rung }) => stage === 'HEAD' && isEnd && rung <= (run.rung ?? -1)),
    epochs: tunedEpochs(run),
  }));
  return {
    ...outcomeOf(world, trained, search.slotSeconds, search.wallSeconds),
    stopped: search.runs.filter(({ status }) => status === 'STOPPED').map(({ index }) => index),
    promotions: search.promotions,
    arrivals,
  };
}

function trainedTo({ runs }: World, run: number, { stage, epoch }: RungStep): Trained {
  return { head: (runs[run]?.headEpochs ?? 0) > 0, epochs: stage === 'FINE_TUNE' ? epoch : 0 };
}

/** Returns the policy of a sweep; without rungs its ladder has the ends of the stages, at which nothing is decided. */
function policyFor({ objective, runs }: World, stopping: Partial<StoppingSpec>): SearchPolicy {
  const policy = policyOf({ stopping: { ...STOPPING_DEFAULTS, ...stopping }, objective, seed: 0 }, runs);
  const { ladder, reductionFactor } = policy;
  if (ladder.length > 0) return policy;
  return { ...policy, ladder: ladderOf({ head: [], fineTune: [] }, reductionFactor, runs, false) };
}

function workOf(world: World, { ladder }: SearchPolicy, run: WorldRun, epochSeconds: number): RunWork {
  const headWork = world.shared.findIndex(({ runs }) => runs.includes(run.index));
  const seconds = run.fineTune?.seconds ?? [];
  return {
    index: run.index,
    path: pathOf(ladder, run),
    headWork: headWork < 0 ? null : headWork,
    headGroup: run.index,
    fineTune: run.fineTune && {
      fixedSeconds: world.taskSeconds,
      epochSeconds,
      secondsTo: (epochs) => (epochs === 0 ? 0 : (seconds[epochs - 1] ?? 0)),
      features: cutFeatures(world),
    },
  };
}

/** Returns the positions of the shared tasks that compute features for fine-tuning: those on which no head depends. */
export function cutFeatures({ shared }: World): number[] {
  const ofHeads = new Set(shared.map(({ after }) => after));
  return shared.flatMap(({ stage }, place) => (stage === 'FEATURES' && !ofHeads.has(place) ? [place] : []));
}

/** Returns what a run shows at a step: at the end of a stage its best epoch. */
function measure({ objective, runs }: World, index: number, { stage, epoch, isEnd }: RungStep): Measurement {
  const curve = (stage === 'HEAD' ? runs[index]?.head : runs[index]?.fineTune) ?? null;
  if (curve === null) throw new Error(`Run ${index} has no curve of ${stage}.`);
  const measured = isEnd ? bestEpoch(objective, curve, epoch) : epoch;
  return {
    value: curve.values[measured - 1] ?? Number.NaN,
    standardError: null,
    epoch: measured,
    completedEpochs: epoch,
    evidence: curve.evidenceAt?.(measured) ?? null,
  };
}

/** Returns the mean seconds of an epoch of fine-tuning: the cost model knows no single run. */
function meanEpochSeconds({ runs }: World): number {
  const curves = runs.flatMap(({ fineTune }) => (fineTune === null ? [] : [fineTune.seconds]));
  const seconds = curves.reduce((sum, all) => sum + lastOf(all), 0);
  return (
    seconds /
    Math.max(
      1,
      curves.reduce((sum, { length }) => sum + length, 0),
    )
  );
}

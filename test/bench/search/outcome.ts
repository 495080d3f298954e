import { compareRuns } from '../../../services/core/ranking.ts';
import { isBetter } from '../../../services/core/objective.ts';
import { bestEpoch } from './world.ts';
import type { StageCurve, World } from './world.ts';

/** Progress of a run's training. */
export interface Trained {
  readonly head: boolean;
  /** Epochs of fine-tuning. */
  readonly epochs: number;
}

/** The best run of a search, at its best epoch. */
export interface Winner {
  readonly run: number;
  readonly value: number;
  readonly truth: number;
}

/** A moment of a search: the slot-seconds spent so far, and how far a run has come. */
export interface Arrival {
  readonly slotSeconds: number;
  readonly run: number;
  readonly trained: Trained;
}

/** Cost and winner of a search. */
export interface Outcome {
  /** Progress of each run. */
  readonly trained: readonly Trained[];
  readonly slotSeconds: number;
  readonly wallSeconds: number;
  /** Epochs of fine-tuning of all runs. */
  readonly epochs: number;
  /** Runs that were trained to their end. */
  readonly complete: readonly number[];
  /** The first run in Graft's ranking; runs that were stopped or paused are ranked too. */
  readonly winner: Winner;
}

export function outcomeOf(
  world: World,
  trained: readonly Trained[],
  slotSeconds: number,
  wallSeconds: number,
): Outcome {
  return {
    trained,
    slotSeconds,
    wallSeconds,
    epochs: trained.reduce((sum, { epochs }) => sum + epochs, 0),
    complete: world.runs
      .filter(({ index, fineTuneEpochs }) => {
        const { head, epochs } = trained[index] ?? { head: false, epochs: 0 };
        return fineTuneEpochs === null ? head : epochs === fineTuneEpochs;
      })
      .map(({ index }) => index),
    winner: winnerOf(world, trained),
  };
}

/** Returns the winner of a search that trains each run to its end. */
export function exhaustiveWinner(world: World): Winner {
  return winnerOf(
    world,
    world.runs.map(({ fineTuneEpochs }) => ({ head: true, epochs: fineTuneEpochs ?? 0 })),
  );
}

/** Returns the slot-seconds after which the best run so far is good enough; null: it never is. */
export function secondsUntil(
  world: World,
  arrivals: readonly Arrival[],
  isGood: (winner: Winner) => boolean,
): number | null {
  let leader: Best | null = null;
  for (const { slotSeconds, run, trained } of arrivals) {
    const best = bestOf(world, run, trained);
    if (best !== null && (leader === null || compareBests(world, best, leader) < 0)) leader = best;
    if (leader !== null && isGood(leader)) return slotSeconds;
  }
  return null;
}

function winnerOf(world: World, trained: readonly Trained[]): Winner {
  const bests = trained.flatMap((far, run) => bestOf(world, run, far) ?? []);
  const [first] = bests.sort((a, b) => compareBests(world, a, b));
  if (first === undefined) throw new Error(`No run of ${world.name} was trained.`);
  return { run: first.run, value: first.value, truth: first.truth };
}

/** The best run of a search, at its best epoch, with what decides between equals. */
export interface Best extends Winner {
  readonly loss: number | null;
}

function compareBests({ objective }: World, a: Best, b: Best): number {
  const [first, second] = [a, b].map(({ run, value, loss }) => ({
    runIndex: run,
    state: 'SUCCEEDED' as const,
    bestValue: value,
    bestValLoss: objective.metric === 'val_loss' ? value : loss,
    bestValAccuracy: objective.metric === 'val_accuracy' ? value : null,
  }));
  return first === undefined || second === undefined ? 0 : compareRuns(objective, first, second);
}

/** Returns the best of what a run has shown; null: nothing. */
export function bestOf({ objective, runs }: World, run: number, { head, epochs }: Trained): Best | null {
  const { head: headCurve, headEpochs, fineTune } = runs[run] ?? { head: null, headEpochs: 0, fineTune: null };
  const stages: [StageCurve | null, number][] = [
    [headCurve, head ? headEpochs : 0],
    [fineTune, epochs],
  ];
  const bests = stages.flatMap(([curve, count]): Best[] => {
    if (curve === null || count === 0) return [];
    const at = bestEpoch(objective, curve, count) - 1;
    const loss = curve.losses?.[at] ?? null;
    return [{ run, value: curve.values[at] ?? Number.NaN, truth: curve.truths[at] ?? Number.NaN, loss }];
  });
  return bests.reduce<Best | null>(
    (best, one) => (best === null || isBetter(objective, one.value, best.value) ? one : best),
    null,
  );
}

import { bestEpoch } from './world.ts';
import type { StageCurve, World } from './world.ts';

/** Progress of a run's training. */
export interface Trained {
  readonly head: boolean;
  /** Epochs of fine-tuning. */
  readonly epochs: number;
}

/** Cost and winner of a search. */
export interface Outcome {
  readonly slotSeconds: number;
  readonly wallSeconds: number;
  /** Epochs of fine-tuning of all runs. */
  readonly epochs: number;
  /** Runs that were trained to their end. */
  readonly complete: readonly number[];
  /** The run with the best observed value, at its best epoch. */
  readonly winner: { readonly run: number; readonly value: number; readonly truth: number };
}

export function outcomeOf(
  world: World,
  trained: readonly Trained[],
  slotSeconds: number,
  wallSeconds: number,
): Outcome {
  let winner: Outcome['winner'] | null = null;
  for (const [run, best] of trained.map((far, index) => bestOf(world, index, far)).entries()) {
    if (best !== null && best.value > (winner?.value ?? -Infinity)) winner = { run, ...best };
  }
  if (winner === null) throw new Error(`No run of ${world.name} was trained.`);
  return {
    slotSeconds,
    wallSeconds,
    epochs: trained.reduce((sum, { epochs }) => sum + epochs, 0),
    complete: world.runs
      .filter(({ index, fineTuneEpochs }) => {
        const { head, epochs } = trained[index] ?? { head: false, epochs: 0 };
        return fineTuneEpochs === null ? head : epochs === fineTuneEpochs;
      })
      .map(({ index }) => index),
    winner,
  };
}

/** Returns the outcome of a world in which each run is trained to its end. */
export function exhaustiveWinner(world: World): Outcome['winner'] {
  const all = world.runs.map(({ fineTuneEpochs }) => ({ head: true, epochs: fineTuneEpochs ?? 0 }));
  return outcomeOf(world, all, 0, 0).winner;
}

function bestOf(world: World, index: number, { head, epochs }: Trained): { value: number; truth: number } | null {
  const run = world.runs[index];
  const stages: [StageCurve | null | undefined, number][] = [
    [run?.head, head ? (run?.headEpochs ?? 0) : 0],
    [run?.fineTune, epochs],
  ];
  let best: { value: number; truth: number } | null = null;
  for (const [curve, count] of stages) {
    if (curve === null || curve === undefined || count === 0) continue;
    const epoch = bestEpoch(curve, count);
    const value = curve.values[epoch - 1] ?? Number.NaN;
    if (best === null || value > best.value) best = { value, truth: curve.truths[epoch - 1] ?? Number.NaN };
  }
  return best;
}

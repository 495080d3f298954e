import type { RunConfig } from '../run-config.ts';
import type { RungEpochs } from '../sweep/search-spec.ts';

/** A fixed point of training at which the runs of a sweep are compared. */
export interface RungDefinition {
  /** Position in the ladder, from 0. */
  readonly number: number;
  readonly stage: 'HEAD' | 'FINE_TUNE';
  /** Completed epochs of the stage; null: its end, whatever the number of epochs and also after early stopping. */
  readonly epoch: number | null;
}

/** The part of a run that determines its rungs. */
export interface LadderRun {
  readonly index: number;
  readonly headEpochs: number;
  /** False: a cached head, which trains in seconds and is compared at its end only. */
  readonly augmented: boolean;
  /** Null: the run is not fine-tuned. */
  readonly fineTuneEpochs: number | null;
  /** True: another seed of a run, which comes to no rung. */
  readonly isRepeat?: boolean;
}

/** A rung on the way of one run. */
export interface RungStep {
  readonly rung: number;
  readonly stage: RungDefinition['stage'];
  /** Completed epochs of the stage; at its end the run's own number of epochs. */
  readonly epoch: number;
  readonly isEnd: boolean;
}

const MAX_AUTO_RUNGS = 3;
/** Values after the first epoch hardly agree with the end: rank correlation 0.02 after 1 of 52, 0.60 after 2 (LCBench). */
const MIN_FIRST_EPOCH = 2;
const MIN_FIRST_PART = 0.1;

export function ladderRun(index: number, { epochs, method, fineTune }: RunConfig): LadderRun {
  return {
    index,
    headEpochs: epochs,
    augmented: method === 'augmented',
    fineTuneEpochs: fineTune?.epochs ?? null,
  };
}

/**
 * Returns the rungs of a sweep in order: milestones of augmented heads, the end of the heads, milestones of fine-tuning, its end.
 * A stage that no run has is absent, and so is a milestone that no run passes before its end.
 *
 * @param rungs null: derived from the largest number of epochs.
 * @param headMilestones false: derived heads have no milestones. Members of a group share each batch, and a paused head would
 * later train alone.
 */
export function ladderOf(
  rungs: RungEpochs | null,
  reductionFactor: number,
  runs: readonly LadderRun[],
  headMilestones: boolean,
): RungDefinition[] {
  const heads = runs.map(({ headEpochs }) => headEpochs).filter((epochs) => epochs > 0);
  const augmented = runs.filter((run) => run.augmented).map(({ headEpochs }) => headEpochs);
  const fineTunes = runs.flatMap(({ fineTuneEpochs }) => fineTuneEpochs ?? []);
  const derive = (epochs: readonly number[]): number[] => autoEpochs(Math.max(0, ...epochs), reductionFactor);
  const headEpochs = rungs?.head ?? (headMilestones ? derive(augmented) : []);
  const fineTuneEpochs = rungs?.fineTune ?? derive(fineTunes);
  const levels: Omit<RungDefinition, 'number'>[] = [
    ...passed(headEpochs, augmented).map((epoch) => ({ stage: 'HEAD' as const, epoch })),
    ...(heads.length > 0 ? [{ stage: 'HEAD' as const, epoch: null }] : []),
    ...passed(fineTuneEpochs, fineTunes).map((epoch) => ({ stage: 'FINE_TUNE' as const, epoch })),
    ...(fineTunes.length > 0 ? [{ stage: 'FINE_TUNE' as const, epoch: null }] : []),
  ];
  return levels.map((level, number) => ({ number, ...level }));
}

function passed(milestones: readonly number[], epochs: readonly number[]): number[] {
  const last = Math.max(0, ...epochs);
  return milestones.filter((milestone) => milestone < last);
}

/**
 * Returns the milestones of a stage of `limit` epochs: limit/η^2, limit/η, as far as there are η times as many epochs, none below
 * 2 epochs or a tenth of the stage.
 */
export function autoEpochs(limit: number, reductionFactor: number): number[] {
  const first = Math.max(MIN_FIRST_EPOCH, Math.ceil(limit * MIN_FIRST_PART));
  const epochs = new Set<number>();
  for (let power = MAX_AUTO_RUNGS - 1; power >= 1; power--) {
    // R = min(⌊log_η limit⌋, 3) levels, the last of them the end.
    if (reductionFactor ** (power + 1) > limit) continue;
    const epoch = Math.max(first, Math.ceil(limit / reductionFactor ** power));
    if (epoch < limit) epochs.add(epoch);
  }
  return [...epochs];
}

/** Returns the rungs that a run passes, in order. Milestones at or beyond the end of its stage are not on its way. */
export function pathOf(ladder: readonly RungDefinition[], run: LadderRun): RungStep[] {
  if (run.isRepeat === true) return [];
  return ladder.flatMap(({ number: rung, stage, epoch }): RungStep[] => {
    const last = stage === 'HEAD' ? run.headEpochs : (run.fineTuneEpochs ?? 0);
    if (last === 0) return [];
    if (epoch === null) return [{ rung, stage, epoch: last, isEnd: true }];
    if (epoch >= last || (stage === 'HEAD' && !run.augmented)) return [];
    return [{ rung, stage, epoch, isEnd: false }];
  });
}

/** Returns the epochs of a stage, before its end, after which the trainer sends evidence. */
export function milestoneEpochs(path: readonly RungStep[], stage: RungDefinition['stage']): number[] {
  return path.filter((step) => step.stage === stage && !step.isEnd).map(({ epoch }) => epoch);
}

/** Returns the step at which a head ends; undefined: there is no head, or it is compared nowhere. */
export function headEndOf(path: readonly RungStep[]): RungStep | undefined {
  return path.find(({ stage, isEnd }) => stage === 'HEAD' && isEnd);
}

/** Returns the first step after a rung; null after the last one. A rung of null is before the first. */
export function stepAfter(path: readonly RungStep[], rung: number | null): RungStep | null {
  return path.find((step) => rung === null || step.rung > rung) ?? null;
}

/** Formats a rung as `rung 1 (fine-tuning, epoch 4)`. */
export function describeRung({ number, ...level }: RungDefinition): string {
  return `rung ${number} (${describeLevel(level)})`;
}

/** Formats a point of training as `fine-tuning, epoch 4` or `end of the head`. */
export function describeLevel({ stage, epoch }: Pick<RungDefinition, 'stage' | 'epoch'>): string {
  if (epoch === null) return stage === 'HEAD' ? 'end of the head' : 'end of fine-tuning';
  return `${stage === 'HEAD' ? 'head' : 'fine-tuning'}, epoch ${epoch}`;
}

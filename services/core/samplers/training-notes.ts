import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { SampledRun } from './sample-runs.ts';

/** Parameters that change the value of the loss of the same predictions. As in Keras, the loss contains the L2 penalty. */
const LOSS_PARAMETERS = ['loss.name', 'loss.gamma', 'loss.alpha', 'label_smoothing', 'head.l2'] as const;

/**
 * Returns sentences on results that a reader of the spec may take for what they are not; empty without any.
 *
 * @param varied names of the parameters that differ between the runs
 */
export function trainingNotes(
  { objective }: Pick<SweepSpec, 'objective'>,
  runs: readonly SampledRun[],
  varied: readonly string[],
): string[] {
  return [...(objective.metric === 'val_loss' ? lossNote(varied) : []), ...randomBaseNotes(runs)];
}

function lossNote(varied: readonly string[]): string[] {
  const names = LOSS_PARAMETERS.filter((name) => varied.includes(name));
  if (names.length === 0) return [];
  return [
    `Runs with different ${names.join(' and ')} are ranked by val_loss, although it does not measure the same in them. ` +
      'To compare them, set objective.metric: val_accuracy or val_macro_f1.',
  ];
}

function randomBaseNotes(runs: readonly SampledRun[]): string[] {
  const random = runs.filter(({ parameters }) => parameters['weights'] === 'random');
  const frozen = random.filter(({ parameters }) => parameters['fine_tune.enabled'] !== true);
  // Runs that unfreeze the whole base train it from scratch.
  const partly = random.filter(
    ({ parameters }) => parameters['fine_tune.enabled'] === true && parameters['fine_tune.unfreeze'] !== 'all',
  );
  const remedy = 'Set base.weights: imagenet for a pretrained base.';
  return [
    ...(frozen.length === 0
      ? []
      : [`${share(frozen, runs)} with a frozen base of random weights, which stay random. ${remedy}`]),
    ...(partly.length === 0
      ? []
      : [
          `${share(partly, runs)} with a base of random weights, which stay random below the unfrozen layers. ${remedy}`,
        ]),
  ];
}

function share(some: readonly SampledRun[], runs: readonly SampledRun[]): string {
  if (some.length === runs.length) return 'All runs train';
  return `${some.length} of ${runs.length} runs ${some.length === 1 ? 'trains' : 'train'}`;
}

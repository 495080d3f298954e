import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { SampledRun } from './sample-runs.ts';
import { variedNames } from './sample-runs.ts';

/** Parameters that change the value of the loss of the same predictions. As in Keras, the loss contains the L2 penalty. */
const LOSS_PARAMETERS = ['loss.name', 'loss.gamma', 'loss.alpha', 'label_smoothing', 'head.l2'] as const;

/** Returns sentences on results that a reader of the spec may take for what they are not; empty without any. */
export function trainingNotes({ objective }: Pick<SweepSpec, 'objective'>, runs: readonly SampledRun[]): string[] {
  return [...(objective.metric === 'val_loss' ? lossNote(runs) : []), ...randomBaseNote(runs)];
}

function lossNote(runs: readonly SampledRun[]): string[] {
  const varied = variedNames(runs);
  const names = LOSS_PARAMETERS.filter((name) => varied.includes(name));
  if (names.length === 0) return [];
  return [
    `Runs with different ${names.join(' and ')} are ranked by val_loss, although it does not measure the same in them. ` +
      'To compare them, set objective.metric: val_accuracy or val_macro_f1.',
  ];
}

function randomBaseNote(runs: readonly SampledRun[]): string[] {
  const concerned = runs.filter(
    ({ parameters }) => parameters['weights'] === 'random' && parameters['fine_tune.enabled'] === true,
  );
  if (concerned.length === 0) return [];
  const subject = concerned.length === runs.length ? 'All runs' : `${concerned.length} of ${runs.length} runs`;
  return [
    `${subject} fine-tune a base with random weights, most of which stay random. Set base.weights: imagenet for a pretrained base.`,
  ];
}

import { describe, expect, it } from 'vitest';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { kerasHint, kerasParameter } from '../../../services/core/search-space/keras-names.ts';
import { findDefinition, PARAMETER_NAMES } from '../../../services/core/search-space/parameter-definitions.ts';

/** Mistakes of a sweep file with these lines, as `field: description`. */
function mistakesOf(lines: string): readonly string[] {
  const { violations } = parseSweepFile(`dataset: { path: /data }\n${lines}\n`, { folder: '/', home: '/' });
  return violations.map(({ field, description }) => `${field}: ${description}`);
}

describe("names of Keras lead to Graft's", () => {
  it.each([
    [
      'base: { lr: 1e-3 }',
      "base.lr: there is no parameter 'lr'. Here it is called 'optimizer.learning_rate'. (line 2)",
    ],
    [
      'base: { optimizer: adam }',
      "base.optimizer: there is no parameter 'optimizer'. Here it is called 'optimizer.name'. (line 2)",
    ],
    [
      'parameters: { dropout: [0.1] }',
      "parameters.dropout: there is no parameter 'dropout'. Here it is called 'head.dropout'. (line 2)",
    ],
    [
      'base: { callbacks: [early] }',
      "base.callbacks: there is no parameter 'callbacks'. Use early_stopping.*, and schedule.name: plateau; the best checkpoint is always kept. (line 2)",
    ],
    [
      'base: { class_weight: { 0: 1, 1: 5 } }',
      "base.class_weight: there is no parameter 'class_weight'. Here it is called 'class_weights'. (line 2)",
    ],
    [
      'parameters: { class_weight: { 0: 1, 1: 5 } }',
      "parameters.class_weight: there is no parameter 'class_weight'. Here it is called 'class_weights'. (line 2)",
    ],
    [
      'base: { optimizer: { lr: 1e-3 } }',
      "base.optimizer.lr: there is no parameter 'optimizer.lr'. Here it is called 'optimizer.learning_rate'. (line 2)",
    ],
    [
      'base: { fine_tune: { enabled: true, lr: 1e-5 } }',
      "base.fine_tune.lr: there is no parameter 'fine_tune.lr'. Here it is called 'fine_tune.learning_rate'. (line 2)",
    ],
    [
      'parameters: { optimizer: { lr: [1e-3] } }',
      "parameters.optimizer.lr: there is no parameter 'optimizer.lr'. Here it is called 'optimizer.learning_rate'. (line 2)",
    ],
    [
      'base: { loss: focal }',
      "base.loss: there is no parameter 'loss'. Here it is called 'loss.name': cross_entropy (binary or categorical, by the number of classes) or focal. (line 2)",
    ],
    [
      'base: { mixup: 0.2 }',
      "base.mixup: there is no parameter 'mixup'. Here it is called 'augmentation.mixup_alpha'. (line 2)",
    ],
    [
      'base: { fine_tune.enabled: true, fine_tune: { use_ema: true } }',
      "base.fine_tune.use_ema: there is no parameter 'fine_tune.use_ema'. Set optimizer.ema_momentum or fine_tune.ema_momentum, in Keras 0.99; 0 is off. (line 2)",
    ],
    [
      'base: { warmup_steps: 500 }',
      "base.warmup_steps: there is no parameter 'warmup_steps'. Use schedule.warmup_epochs, or fine_tune.schedule_warmup_epochs: epochs, of which parts are allowed. (line 2)",
    ],
    [
      'base: { metrics: [f1] }',
      "base.metrics: there is no parameter 'metrics'. Losses, accuracies, val_macro_f1 and val_balanced_accuracy are always recorded, val_auc for small validation splits; objective.metric chooses the one that ranks runs. (line 2)",
    ],
    [
      'epochs: 5',
      'epochs: there is no such key. Put it under base: for one value of all runs, or under parameters: for values to compare. (line 2)',
    ],
    [
      'batch: 16',
      "batch: there is no such key. Here it is called 'batch_size'. Put it under base: for one value of all runs, or under parameters: for values to compare. (line 2)",
    ],
    [
      'validation_split: 0.2',
      'validation_split: there is no such key. Give dataset.split_fractions, or folders train, validation and test. (line 2)',
    ],
    [
      'base: { backbone: vgg16, fine_tune.enabled: true, fine_tune.unfreeze: 1 }',
      "base.fine_tune.unfreeze: does not fit vgg16: it unfreezes nothing that could train: the last layer is block5_pool, without weights to train; received '1'. Give at least 2, last_block or a block's name, or take fine-tuning out. (line 2)",
    ],
  ])('%s', (lines, expected) => {
    expect(mistakesOf(lines)).toEqual([expected]);
  });

  it.each([
    ...['lr', 'learning_rate', 'dropout', 'batch', 'optimizer', 'model', 'momentum', 'Dropout-Rate', 'ema_momentum'],
    ...['gradient_accumulation_steps', 'mixup', 'cutmix', 'randaugment', 'label_smooth'],
  ])('%s is called by a name that exists', (name) => {
    const parameter = kerasParameter(name);
    expect(PARAMETER_NAMES).toContain(parameter);
    expect(findDefinition(name)).toBeNull();
  });

  it('and a hint never hides a parameter, nor an object property', () => {
    for (const name of PARAMETER_NAMES) expect(kerasHint(name), name).toBe('');
    expect(kerasHint('constructor')).toBe('');
    expect(kerasHint('something_else')).toBe('');
  });
});

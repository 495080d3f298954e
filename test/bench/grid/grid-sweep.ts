/** A grid of heads on three bases, and of fine-tunes of the lightest one. */
export interface Grid {
  readonly imageSize: number;
  readonly headEpochs: number;
  readonly fineTuneEpochs: number;
  readonly optimizer: string;
  /** Hidden units of the heads that are fine-tuned, and of those of the other bases. */
  readonly units: readonly number[];
  readonly otherUnits: readonly number[];
  readonly learningRates: readonly number[];
  readonly dropouts: readonly number[];
  readonly fineTuneLearningRates: readonly number[];
  /** Part of the exhaustive slot-seconds that `promotion` with a budget may spend, and that a search by a model may. */
  readonly budgetPart: number;
  readonly modelPart: number;
}

export const PHOTOS = new URL('../../../../shared/data/cats-dogs-800', import.meta.url).pathname;

/** The lightest base, which is fine-tuned as well, and heavier ones. */
const FINE_TUNED = 'efficientnet_lite0';
const OTHERS = ['efficientnet_lite1', 'efficientnet_lite2'];

/**
 * Grids by name: 16 heads of the lightest base, each with 3 fine-tunes, and 24 of each heavier one, which makes 64 heads and 48
 * fine-tunes. With Adam on images of 64 pixels the best fine-tunes beat all heads. With RMSprop on 96 pixels the heads of the heavier
 * bases win. `small` has 12 heads and 12 fine-tunes, to try the command; indexing and heads are a fifth of it.
 */
export const GRIDS = {
  'adam-64': {
    imageSize: 64,
    headEpochs: 12,
    fineTuneEpochs: 10,
    optimizer: 'adam',
    units: [0, 64],
    otherUnits: [0, 64, 256],
    learningRates: [1e-4, 3e-4, 1e-3, 3e-3],
    dropouts: [0.2, 0.5],
    fineTuneLearningRates: [3e-5, 1e-4, 3e-4],
    budgetPart: 0.1,
    modelPart: 0.15,
  },
  'rmsprop-96': {
    imageSize: 96,
    headEpochs: 15,
    fineTuneEpochs: 10,
    optimizer: 'rmsprop',
    units: [0, 128],
    otherUnits: [0, 128, 256],
    learningRates: [3e-4, 1e-3, 3e-3, 1e-2],
    dropouts: [0.2, 0.5],
    fineTuneLearningRates: [1e-5, 3e-5, 1e-4],
    budgetPart: 0.1,
    modelPart: 0.15,
  },
  small: {
    imageSize: 64,
    headEpochs: 12,
    fineTuneEpochs: 3,
    optimizer: 'adam',
    units: [64],
    otherUnits: [64],
    learningRates: [1e-3, 3e-3],
    dropouts: [0.2, 0.5],
    fineTuneLearningRates: [3e-5, 1e-4, 3e-4],
    budgetPart: 0.4,
    modelPart: 0.5,
  },
} as const satisfies Readonly<Record<string, Grid>>;

/**
 * Returns the sweep file of a grid.
 *
 * @param search its `stopping` and `budget`.
 */
export function gridSweep(
  name: string,
  grid: Grid,
  search: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const heads = (backbone: string, units: readonly number[]): Record<string, unknown>[] =>
    units.flatMap((count) =>
      grid.dropouts.flatMap((dropout) =>
        grid.learningRates.map((rate) => ({
          backbone,
          'head.units': count,
          'head.dropout': dropout,
          'optimizer.learning_rate': rate,
        })),
      ),
    );
  const fineTuned = heads(FINE_TUNED, grid.units).flatMap((head) =>
    grid.fineTuneLearningRates.map((rate) => ({
      ...head,
      'fine_tune.enabled': true,
      'fine_tune.epochs': grid.fineTuneEpochs,
      'fine_tune.unfreeze': 'block6',
      'fine_tune.optimizer': grid.optimizer,
      'fine_tune.learning_rate': rate,
    })),
  );
  return {
    ...commonOf(name, grid),
    strategy: 'list',
    variants: [...fineTuned, ...OTHERS.flatMap((backbone) => heads(backbone, grid.otherUnits))],
    ...search,
  };
}

/** Most runs of a search by a model. */
const MODEL_RUNS = 48;

/**
 * Returns the sweep file of a search by a Gaussian process with `promotion` in the space of a grid. The lightest base may have the units
 * of the other ones, too, because a parameter has one list of values.
 */
export function modelSweep(name: string, grid: Grid, slotSeconds: number): Readonly<Record<string, unknown>> {
  const common = commonOf(name, grid);
  return {
    ...common,
    base: {
      ...common.base,
      'fine_tune.epochs': grid.fineTuneEpochs,
      'fine_tune.unfreeze': 'block6',
      'fine_tune.optimizer': grid.optimizer,
    },
    parameters: {
      backbone: [FINE_TUNED, ...OTHERS],
      'head.units': grid.otherUnits,
      'head.dropout': grid.dropouts,
      'optimizer.learning_rate': grid.learningRates,
      'fine_tune.enabled': { values: [true], when: { backbone: FINE_TUNED } },
      'fine_tune.learning_rate': { values: grid.fineTuneLearningRates, when: { 'fine_tune.enabled': true } },
    },
    strategy: 'gp',
    max_runs: MODEL_RUNS,
    stopping: { rule: 'promotion' },
    budget: { slot_seconds: slotSeconds },
  };
}

/** Returns what all sweeps of a grid share. */
function commonOf(name: string, grid: Grid): SweepFile & { readonly base: SweepFile } {
  return {
    display_name: name,
    dataset: { path: PHOTOS },
    base: {
      image_size: grid.imageSize,
      method: 'cached',
      epochs: grid.headEpochs,
      'head.activation': 'relu',
      'optimizer.name': grid.optimizer,
    },
    objective: { metric: 'val_accuracy' },
    seed: 1,
    // Each sweep pays for its runs.
    reuse: false,
  };
}

type SweepFile = Readonly<Record<string, unknown>>;

/**
 * Makes each epoch of fine-tuning a rung, so that the outcome of each validation image is kept, and stops nothing. Each run is tested,
 * so that replays can be judged by images that chose nothing.
 */
export function recordsAll({ fineTuneEpochs }: Grid): Readonly<Record<string, unknown>> {
  const epochs = Array.from({ length: fineTuneEpochs - 1 }, (_, index) => index + 1);
  return {
    stopping: { rule: 'threshold', threshold: { worse_than: 0 }, rungs: { head: [], fine_tune: epochs } },
    test_policy: 'every_run',
  };
}

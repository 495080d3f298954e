/** Keys of a sweep file by mapping, for its JSON Schema and its reader. */
export const SWEEP_KEYS = [
  'display_name',
  'dataset',
  'base',
  'parameters',
  'strategy',
  'variants',
  'max_runs',
  'seed',
  'objective',
  'test_policy',
  'mlflow',
] as const;

export const DATASET_KEYS = ['path', 'split_fractions', 'allow_duplicates', 'skip_bad_files', 'strict'] as const;
export const SPLIT_FRACTION_KEYS = ['train', 'validation', 'test', 'seed'] as const;
export const DOMAIN_KEYS = ['values', 'min', 'max', 'scale', 'grid_points', 'step', 'when'] as const;
export const MLFLOW_KEYS = ['experiment', 'register_model'] as const;
export const OBJECTIVE_KEYS = ['metric', 'goal'] as const;

export const STRATEGIES = ['grid', 'random', 'sobol', 'list'] as const;
export const SCALES = ['linear', 'log'] as const;
export const METRICS = ['val_loss', 'val_accuracy'] as const;
export const GOALS = ['minimize', 'maximize'] as const;
export const TEST_POLICIES = ['winner', 'every_run'] as const;

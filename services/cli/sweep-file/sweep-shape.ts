import { SPLITS } from '../../core/dataset.ts';

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
  'stopping',
  'budget',
  'constraints',
  'max_parallel_slots',
  'priority',
  'reuse',
  'screen',
  'finalists',
  'winner_rule',
  'search',
] as const;

export const DATASET_KEYS = ['path', 'split_fractions', 'allow_duplicates', 'skip_bad_files', 'strict'] as const;
export const SPLIT_FRACTION_KEYS = [...SPLITS, 'seed'] as const;
export const DOMAIN_KEYS = ['values', 'min', 'max', 'scale', 'grid_points', 'step', 'when'] as const;
export const MLFLOW_KEYS = ['experiment', 'register_model'] as const;
export const OBJECTIVE_KEYS = ['metric', 'goal'] as const;

export const STOPPING_KEYS = [
  'rule',
  'reduction_factor',
  'rungs',
  'min_entries',
  'percentile',
  'confidence',
  'threshold',
  'patience',
  'keep_paused',
  'synchronous',
  'promote_idle',
] as const;
export const SCREEN_KEYS = ['keep', 'images'] as const;
export const RUNG_KEYS = ['head', 'fine_tune'] as const;
export const THRESHOLD_KEYS = ['worse_than', 'from_epoch'] as const;
export const PATIENCE_KEYS = ['epochs', 'min_delta'] as const;
export const BUDGET_KEYS = ['slot_seconds', 'wall_time', 'target', 'patience_rounds'] as const;
export const SEARCH_KEYS = ['startup_runs', 'round_runs', 'explore', 'pack'] as const;
export const TARGET_KEYS = ['value', 'confidence'] as const;
export const CONSTRAINT_KEYS = ['at_most'] as const;
export const FINALIST_KEYS = ['runs', 'seeds'] as const;

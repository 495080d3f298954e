import type { Parameters } from '../../services/core/sweep/sweep-spec.ts';

/** Epochs of the three training methods. */
export interface SweepSize {
  readonly cached: number;
  readonly augmented: number;
  readonly fineTune: number;
}

/**
 * Sweeps that are trained under faults. PLAIN: no run is compared with another. SEARCH: runs wait at rungs until all others have come, so
 * that its decisions are the same in every order of events. URGENT: one head. Those that follow decide as results arrive. PROMOTION: with
 * idle promotions. BOUNDED: with a budget. ASHA: runs are stopped.
 */
export const ASYNCHRONOUS_KINDS = ['PROMOTION', 'BOUNDED', 'ASHA'] as const;
export type SweepKind = 'PLAIN' | 'SEARCH' | 'URGENT' | (typeof ASYNCHRONOUS_KINDS)[number];

const TUNED = { epochs: 8, 'fine_tune.enabled': true } as const;

/** Runs that a person adds to a SEARCH while its heads train, and after its end. Their heads are of sizes that no other run has. */
export const ADDED: Readonly<Record<'during' | 'after', Parameters>> = {
  during: { ...TUNED, 'head.units': 12 },
  after: { ...TUNED, 'head.units': 20 },
};

/** Returns the sweep file of a kind. @param dataset folder of the images */
export function sweepText(kind: SweepKind, dataset: string, size: SweepSize): string {
  const { cached, fineTune } = size;
  return `
display_name: chaos ${kind.toLowerCase()}
dataset: { path: ${dataset} }
base:
  backbone: efficientnet_lite0
  image_size: 32
  batch_size: 8
  epochs: ${cached}
${kind === 'URGENT' ? '' : `  fine_tune.epochs: ${fineTune}`}
strategy: list
seed: 11
# Each sweep trains: its record is compared with that of the undisturbed one.
reuse: false
${SECTIONS[kind](size)}
variants:
${variantsOf(kind, size)
  .map((variant) => `  - { ${variant} }`)
  .join('\n')}
`;
}

/** Sections of a kind beside what all kinds have. */
const SECTIONS: Readonly<Record<SweepKind, (size: SweepSize) => string>> = {
  PLAIN: () => '',
  URGENT: () => '',
  // The head of one variant is worse than the threshold, so that a rule stops its run.
  SEARCH: (size) => `
stopping:
  rule: promotion
  synchronous: true
  reduction_factor: 2
  rungs: { fine_tune: [${rungsOf(size)}] }
  threshold: { worse_than: 3 }`,
  PROMOTION: (size) => `
stopping: { rule: promotion, reduction_factor: 2, rungs: { fine_tune: [${rungsOf(size)}] } }`,
  BOUNDED: (size) => `
stopping: { rule: promotion, reduction_factor: 2, rungs: { fine_tune: [${rungsOf(size)}] } }
budget: { slot_seconds: 60 }`,
  ASHA: (size) => `
stopping: { rule: asha, reduction_factor: 2, rungs: { head: [2, 4], fine_tune: [${rungsOf(size)}] } }`,
};

/** Returns two epochs within the fine-tuning. */
function rungsOf({ fineTune }: SweepSize): string {
  return `${Math.ceil(fineTune / 4)}, ${Math.ceil(fineTune / 2)}`;
}

function variantsOf(kind: SweepKind, { augmented }: SweepSize): readonly string[] {
  const heads = [
    'head.units: 16',
    'head.units: 32, head.dropout: 0.2',
    `method: augmented, epochs: ${augmented}`,
    `method: augmented, epochs: ${augmented}, head.units: 8`,
  ];
  const tuned = 'epochs: 8, fine_tune.enabled: true';
  if (kind === 'URGENT') return [`method: augmented, epochs: 4, head.units: 4`];
  if (kind === 'PLAIN') return [...heads, tuned];
  const grouped = 'method: augmented, epochs: 6, head.units: 6, fine_tune.enabled: true';
  return [
    ...heads,
    tuned,
    // Shares the head of the run before it, as the second of the two below that train as one group.
    `${tuned}, fine_tune.learning_rate: 0.0001`,
    `${tuned}, head.units: 24`,
    grouped,
    `${grouped}, fine_tune.learning_rate: 0.0003`,
    'epochs: 2, optimizer.learning_rate: 50, fine_tune.enabled: true',
  ];
}

import { outputShapeAt } from '../network/base-cost.ts';
import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { FeatureSetIdentity, FeatureSetRef } from '../task.ts';
import { Mistakes } from './mistakes.ts';
import { sha256Mistake, shown } from './text-rules.ts';

/** A feature set that the task must compute. */
export interface AskedFeatureSet extends FeatureSetIdentity {
  readonly key: string;
  /** Number of images of the split; null: not known. */
  readonly imageCount: number | null;
}

const MAX_VALUES_PER_IMAGE = 2 ** 31;
/** Maximum size of a header: a digest for each part of a file, and fixed fields. */
const HEADER_BYTES = 2 ** 20;
const HEADER_BYTES_PER_IMAGE = 100;
const BYTES = { float32: 4, float16: 2 } as const;

/** Returns the URI of a feature set in the artifact store. */
export function featureSetUri(key: string): string {
  return `features/${key}.safetensors`;
}

/** Returns the mistakes in the result of FEATURES. */
export function checkFeatures(
  sets: readonly FeatureSetRef[],
  seconds: number,
  asked: readonly AskedFeatureSet[],
): FieldViolation[] {
  const mistakes = new Mistakes();
  const byKey = new Map(asked.map((set) => [set.key, set]));
  const seen = new Set<string>();
  for (const [index, set] of sets.entries()) {
    const field = `features.feature_sets[${index}]`;
    const want = byKey.get(set.key);
    if (want === undefined || seen.has(set.key)) {
      mistakes.add(`${field}.key`, `must be each of the task's sets, once; received ${shown(set.key)}.`);
      continue;
    }
    seen.add(set.key);
    checkIdentity(set, want, field, mistakes);
    checkFile(set, want, field, mistakes);
  }
  const missing = asked.filter(({ key }) => !seen.has(key)).map(({ key }) => key);
  if (missing.length > 0) {
    mistakes.add('features.feature_sets', `must be the task's ${asked.length} sets; missing: ${missing.join(', ')}.`);
  }
  mistakes.range('features.seconds', seconds, 0, Number.MAX_VALUE);
  return mistakes.list;
}

function checkIdentity(set: FeatureSetRef, want: AskedFeatureSet, field: string, mistakes: Mistakes): void {
  const names = {
    split: [set.split, want.split],
    backbone: [set.backbone, want.backbone],
    weights_digest: [set.weightsDigest, want.weightsDigest],
    cut: [set.cut ?? '', want.cut ?? ''],
    image_size: [set.imageSize, want.imageSize],
    pooling: [set.pooling, want.pooling],
    dataset_digest: [set.datasetDigest, want.datasetDigest],
    dtype: [set.dtype, want.dtype],
  } as const;
  for (const [name, [received, wanted]] of Object.entries(names)) {
    if (received === wanted) continue;
    mistakes.add(`${field}.${name}`, `must be '${wanted}', as asked; received ${shown(String(received))}.`);
  }
}

function checkFile(set: FeatureSetRef, want: AskedFeatureSet, field: string, mistakes: Mistakes): void {
  const uri = featureSetUri(want.key);
  if (set.uri !== uri) mistakes.add(`${field}.uri`, `must be ${uri}; received ${shown(set.uri ?? '')}.`);
  mistakes.add(`${field}.sha256`, sha256Mistake(set.sha256 ?? ''));
  mistakes.add(`${field}.shape`, shapeMistake(set, want));
  const { rowCount } = set;
  mistakes.count(`${field}.row_count`, rowCount, want.imageCount ?? 0, want.imageCount ?? 2 ** 31 - 1);
  const bytes = rowCount * set.shape.reduce((product, size) => product * size, 1) * BYTES[want.dtype];
  mistakes.range(`${field}.size_bytes`, set.sizeBytes, bytes, bytes + HEADER_BYTES + rowCount * HEADER_BYTES_PER_IMAGE);
}

/** Describes a wrong shape; null: it is plausible. The shape of a whole base is known, of a part only its number of dimensions. */
function shapeMistake({ shape }: FeatureSetRef, want: AskedFeatureSet): string | null {
  const received = `received [${shape.slice(0, 8).join(', ')}].`;
  const rank = want.pooling === 'none' ? 3 : 1;
  const isShape = shape.length === rank && shape.every((size) => Number.isInteger(size) && size > 0);
  if (!isShape || shape.reduce((product, size) => product * size, 1) > MAX_VALUES_PER_IMAGE) {
    return `must be ${rank} positive ${rank === 1 ? 'number' : 'numbers'}; ${received}`;
  }
  if (want.cut !== null) return null;
  const { channels } = outputShapeAt(want.backbone, want.imageSize, null);
  return shape.at(-1) === channels ? null : `must end with the ${channels} channels of ${want.backbone}; ${received}`;
}

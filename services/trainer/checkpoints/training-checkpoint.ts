import { z } from 'zod';
import { AVERAGE_SLOT } from '../../core/network/head-variables.ts';
import { CHECKPOINT_KINDS, STAGES, TRAINED_STAGES } from '../../core/task.ts';
import { encodeSafetensors, readSafetensors } from './safetensors.ts';
import type { NamedTensor } from './safetensors.ts';
import type { ImageResults } from './image-results.ts';

const FORMAT = 'graft-training-checkpoint/1';
const TRAINED_PREFIX = 'trained/';
const OPTIMIZER_PREFIX = 'optimizer/';
/** Tensor and metadata entry of the best epoch's results by image. Earlier versions neither write nor read them. */
const BEST_LOSSES = 'best/losses';
const BEST_CORRECT = 'best_correct';

const count = z.number().int().min(0);
const checkpointRef = z.object({
  checkpointId: z.string(),
  runId: z.string(),
  stage: z.enum(STAGES),
  epoch: count,
  kind: z.enum(CHECKPOINT_KINDS),
  uri: z.string(),
  sha256: z.string(),
  sizeBytes: count,
  value: z.number().nullable(),
});

const trainingState = z.object({
  runId: z.string(),
  stage: z.enum(TRAINED_STAGES),
  kind: z.enum(CHECKPOINT_KINDS),
  /** Completed epochs. */
  epoch: count,
  /** Completed steps of the current epoch. */
  stepInEpoch: count,
  /** Completed steps of the stage; the position in the stream of dropout masks and in the learning-rate schedule. */
  step: count,
  trainedTensors: z.array(z.object({ name: z.string(), shape: z.array(count) })),
  /** Digest of the frozen base's weights. */
  baseDigest: z.string(),
  /** Keys of the counter-based random streams, whose positions are `epoch` and `step`. */
  randomKeys: z.object({ seed: z.number(), dataSeed: z.number(), augmentationSeed: z.number().nullable() }),
  optimizer: z.object({ name: z.string(), iterations: count }),
  schedule: z.object({ baseRate: z.number(), best: z.number().nullable(), wait: count }),
  earlyStopping: z.object({ best: z.number().nullable(), wait: count, stopped: z.boolean() }),
  /** The best epoch so far, and the checkpoint of its tensors. */
  best: z.object({ epoch: count, value: z.number(), checkpoint: checkpointRef.nullable() }).nullable(),
  /** The objective's value in the last completed epoch. */
  lastValue: z.number().nullable(),
  /** Loss sums of the current epoch. */
  sums: z.object({ imageCount: count, lossSum: z.number(), correctCount: count }),
});

/** The state of a training run without its tensors. */
export type TrainingState = Readonly<z.infer<typeof trainingState>>;

export interface TrainingCheckpoint {
  readonly state: TrainingState;
  readonly trained: ReadonlyMap<string, NamedTensor>;
  /** Tensors to predict with: the moving averages that the slots of a LAST checkpoint contain, else the trained ones. */
  readonly predicting: ReadonlyMap<string, NamedTensor>;
  /** Tensors named `<slot>/<variable>`; empty in a BEST checkpoint, from which training never resumes. */
  readonly optimizerSlots: ReadonlyMap<string, NamedTensor>;
  /** Results of the best epoch by image; null in a BEST checkpoint, and in those of earlier versions. */
  readonly bestResults: ImageResults | null;
}

/** Thrown for a checkpoint that is damaged or of another run or base; `field` names the difference. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
  readonly path: string;
  readonly field: string;

  constructor(path: string, field: string, problem: string, options?: ErrorOptions) {
    super(`The checkpoint ${path} can't be used, ${field}: ${problem}`, options);
    this.path = path;
    this.field = field;
  }
}

/** Returns the file's bytes in parts, for `ArtifactStore.writeStream`. */
export function encodeTrainingCheckpoint(
  state: TrainingState,
  trained: readonly NamedTensor[],
  optimizerSlots: readonly NamedTensor[],
  bestResults: ImageResults | null = null,
): readonly Uint8Array[] {
  const { correct, losses = null } = bestResults ?? {};
  const tensors = [...withPrefix(TRAINED_PREFIX, trained), ...withPrefix(OPTIMIZER_PREFIX, optimizerSlots)];
  if (losses !== null) tensors.push({ name: BEST_LOSSES, shape: [losses.length], values: losses });
  return encodeSafetensors(tensors, {
    format: FORMAT,
    state: JSON.stringify(state),
    ...(correct === undefined ? {} : { [BEST_CORRECT]: Buffer.from(correct).toString('base64') }),
  });
}

/** Reads a checkpoint. @throws {SafetensorsError} for a damaged file, {CheckpointError} for another safetensors file. */
export async function readTrainingCheckpoint(path: string): Promise<TrainingCheckpoint> {
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata['format'] !== FORMAT) {
    throw new CheckpointError(path, 'format', `it is ${JSON.stringify(metadata['format'])}, but must be "${FORMAT}".`);
  }
  const parsed = trainingState.safeParse(parseJson(metadata['state'] ?? ''));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new CheckpointError(path, `state.${issue?.path.join('.') ?? ''}`, issue?.message ?? 'it is not valid.');
  }
  const trained = withoutPrefix(TRAINED_PREFIX, tensors);
  const listed = describeTensors(parsed.data.trainedTensors);
  if (listed !== describeTensors([...trained.values()])) {
    throw new CheckpointError(
      path,
      'trainedTensors',
      `it lists ${listed}, but has ${describeTensors([...trained.values()])}.`,
    );
  }
  const optimizerSlots = withoutPrefix(OPTIMIZER_PREFIX, tensors);
  const averages = withoutPrefix(`${AVERAGE_SLOT}/`, optimizerSlots);
  const correct = metadata[BEST_CORRECT];
  const bestResults =
    correct === undefined
      ? null
      : { correct: Uint8Array.from(Buffer.from(correct, 'base64')), losses: tensors.get(BEST_LOSSES)?.values ?? null };
  return { state: parsed.data, trained, predicting: new Map([...trained, ...averages]), optimizerSlots, bestResults };
}

/** The run and the base to which a checkpoint must belong. */
export interface CheckpointOwner {
  readonly runId: string;
  readonly baseDigest: string;
  readonly trainedTensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly randomKeys: TrainingState['randomKeys'];
}

/**
 * Checks that a checkpoint is of this run, frozen base, trained tensors and random streams.
 *
 * @throws {CheckpointError} with the field, both values and the remedy.
 */
export function checkOwner(path: string, state: TrainingState, owner: CheckpointOwner): void {
  if (state.runId !== owner.runId) {
    throw new CheckpointError(path, 'runId', `it belongs to run ${state.runId}, but run ${owner.runId} must resume.`);
  }
  if (state.baseDigest !== owner.baseDigest) {
    throw new CheckpointError(
      path,
      'baseDigest',
      `it was trained on a base whose weights have the digest ${state.baseDigest}, but this trainer's have ` +
        `${owner.baseDigest}. Use the weight file it was trained with.`,
    );
  }
  const saved = describeTensors(state.trainedTensors);
  const wanted = describeTensors(owner.trainedTensors);
  if (saved !== wanted) {
    throw new CheckpointError(path, 'trainedTensors', `it has ${saved}, but the run trains ${wanted}.`);
  }
  for (const key of ['seed', 'dataSeed', 'augmentationSeed'] as const) {
    if (state.randomKeys[key] !== owner.randomKeys[key]) {
      throw new CheckpointError(
        path,
        `randomKeys.${key}`,
        `it was trained with ${state.randomKeys[key]}, but the run has ${owner.randomKeys[key]}.`,
      );
    }
  }
}

function describeTensors(tensors: readonly { readonly name: string; readonly shape: readonly number[] }[]): string {
  return tensors.map(({ name, shape }) => `${name}[${shape.join(',')}]`).join(' ');
}

function withPrefix(prefix: string, tensors: readonly NamedTensor[]): NamedTensor[] {
  return tensors.map(({ name, shape, values }) => ({ name: prefix + name, shape, values }));
}

function withoutPrefix(prefix: string, tensors: ReadonlyMap<string, NamedTensor>): ReadonlyMap<string, NamedTensor> {
  const chosen = new Map<string, NamedTensor>();
  for (const { name, shape, values } of tensors.values()) {
    if (!name.startsWith(prefix)) continue;
    const bare = name.slice(prefix.length);
    chosen.set(bare, { name: bare, shape, values });
  }
  return chosen;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

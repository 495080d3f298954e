import { withKey, poolingOf } from '../../../services/core/planner/feature-set.ts';
import { prefixCutOf } from '../../../services/core/network/backbone-layers.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Dataset, Split } from '../../../services/core/dataset.ts';
import { CLASS_METRICS } from '../../../services/core/objective.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type {
  CheckpointRef,
  FeatureSetRef,
  LeasedTask,
  Pooling,
  Stage,
  TaskRun,
  WeightsInfo,
} from '../../../services/core/task.ts';
import type { SlotEvent } from '../../../services/trainer/slots/worker-protocol.ts';
import type { TaskRunner } from './worker-process.ts';

export interface IndexedSweep {
  readonly dataset: Dataset;
  readonly manifestUri: string;
  readonly weights: WeightsInfo;
}

/** Builds a sweep's tasks, as the coordinator would lease them, and keeps the reports of workers. */
export class SweepOnWorker {
  readonly #path: string;
  readonly #weights: WeightsInfo | { backbone: string; weights: string };
  #indexed: IndexedSweep | null = null;
  #taskCount = 0;

  constructor(path: string, backbone: string, weights: string) {
    this.#path = path;
    this.#weights = { backbone, weights };
  }

  get indexed(): IndexedSweep {
    if (this.#indexed === null) throw new Error('index() comes first');
    return this.#indexed;
  }

  async index(worker: TaskRunner): Promise<IndexedSweep> {
    const result = await worker.complete(this.task('INDEX', {}), 'INDEX');
    const [weights] = result.weights;
    if (weights === undefined) throw new Error('INDEX resolved no weights');
    this.#indexed = { dataset: result.dataset, manifestUri: result.manifestUri, weights };
    return this.#indexed;
  }

  /** Returns the feature sets of a run's head (or of its fine-tuning), named by the planner. */
  featureSets(parameters: Parameters, phase: 'HEAD' | 'FINE_TUNE'): FeatureSetRef[] {
    const config = compileRunConfig(parameters);
    const splits: Split[] = config.method === 'cached' ? ['train', 'validation'] : ['validation'];
    let cut = config.backbone.cut;
    let pooling: Pooling = poolingOf(config.head);
    if (phase === 'FINE_TUNE') {
      pooling = 'none';
      cut = prefixCutOf(config.backbone, config.fineTune?.unfreeze ?? '');
      if (cut === null) return [];
    }
    return splits.map((split) => ({
      ...withKey({
        datasetDigest: this.indexed.dataset.digest,
        split,
        backbone: config.backbone.name,
        weightsDigest: this.indexed.weights.digest,
        cut,
        imageSize: config.imageSize,
        pooling,
        dtype: config.featureDtype,
      }),
      uri: null,
      shape: [],
      rowCount: 0,
      sha256: null,
      sizeBytes: 0,
    }));
  }

  async computeFeatures(worker: TaskRunner, sets: readonly FeatureSetRef[]): Promise<readonly FeatureSetRef[]> {
    return (await worker.complete(this.task('FEATURES', { featureSets: sets }), 'FEATURES')).featureSets;
  }

  task(stage: Stage, overrides: Partial<LeasedTask>): LeasedTask {
    this.#taskCount += 1;
    return {
      taskId: `t${this.#taskCount}`,
      sweepId: 's',
      stage,
      // Unique, and different from those that tests set: names of checkpoints contain it, and none is written twice.
      leaseEpoch: 100 + this.#taskCount,
      runs: [],
      datasetSource: { path: this.#path, splitFractions: null, allowDuplicates: true, skipBadFiles: false },
      dataset: this.#indexed?.dataset ?? null,
      manifestUri: this.#indexed?.manifestUri ?? null,
      featureSets: [],
      weightsReferences: [{ backbone: this.#weights.backbone, weights: this.#weights.weights }],
      objective: { metric: 'val_loss', goal: 'minimize' },
      classMetrics: CLASS_METRICS,
      microBatchDivisor: 1,
      traceparent: null,
      ...overrides,
    };
  }
}

export function taskRun(runId: string, parameters: Parameters, overrides: Partial<TaskRun> = {}): TaskRun {
  return {
    runId,
    parameters,
    resumeCheckpoint: null,
    sourceCheckpoint: null,
    sourceValue: null,
    role: null,
    stopped: false,
    milestoneEpochs: [],
    pauseEpoch: null,
    ...overrides,
  };
}

/** Returns the latest checkpoint of a run among events. */
export function lastCheckpoint(
  events: readonly SlotEvent[],
  runId: string,
  kind: CheckpointRef['kind'],
  stage: Stage,
): CheckpointRef {
  const found = events
    .flatMap((event) => (event.type === 'checkpoint' ? [event.checkpoint] : []))
    .findLast((checkpoint) => checkpoint.runId === runId && checkpoint.kind === kind && checkpoint.stage === stage);
  if (found === undefined) throw new Error(`No ${kind} checkpoint of ${runId} in ${stage} was reported.`);
  return found;
}

/** Returns the `epoch` events of a run's stage, without measured times. */
export function curve(
  events: readonly SlotEvent[],
  runId: string,
  stage: Stage,
): readonly { readonly epoch: number; readonly values: Readonly<Record<string, number>> }[] {
  return events.flatMap((event) => {
    if (event.type !== 'epoch' || event.runId !== runId || event.stage !== stage) return [];
    const values = Object.entries(event.values).filter(([name]) => name !== 'seconds' && name !== 'images_per_second');
    return [{ epoch: event.epoch, values: Object.fromEntries(values) }];
  });
}

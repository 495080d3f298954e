import { groupByKey } from '../group-by-key.ts';
import { probeTaskIdOf } from '../ids.ts';
import { targetKey, targetOf } from '../stopping/screen/candidate.ts';
import type { ScreenTarget } from '../stopping/screen/candidate.ts';
import type { ProbeOrder } from '../task.ts';
import { forecastFeatures, forecastProbe } from './cost/task-cost.ts';
import type { CostContext, ImageCounts, TaskForecast } from './cost/task-cost.ts';
import { describeProbe } from './describe.ts';
import { withKey } from './feature-set.ts';
import type { PlannedRun } from './plan.ts';
import type { WeightsDigest } from './weights-digests.ts';

const FEWEST_TRAIN_IMAGES = 200;
const IMAGES_PER_CLASS = 40;
/**
 * Training images beyond which 40 of each class are not needed: the ridge regression takes time by the cube of their number (1,200 with
 * the validation images: half a minute), and pairs of predictions on 1,200 images tell candidates apart. At least 4 of each class.
 */
const ENOUGH_TRAIN_IMAGES = 800;
const FEWEST_PER_CLASS = 4;
/** Part of the images that are training images. */
const TRAIN_PART = 2 / 3;

/** Numbers of images of a probe. */
export type ProbeCounts = Pick<ProbeOrder, 'trainImageCount' | 'validationImageCount'>;

/** A probe of a plan, and the price of what it may save. */
export interface PlannedProbe {
  readonly taskId: string;
  readonly position: number;
  readonly target: ScreenTarget;
  readonly order: ProbeOrder;
  readonly isBaseline: boolean;
  /** Runs by run number. */
  readonly runIds: readonly string[];
  /** Forecast of the features of all training and validation images. */
  readonly featureSeconds: number;
  readonly description: string;
  readonly forecast: TaskForecast;
}

/**
 * Returns the numbers of images of a sweep's probes.
 *
 * @param images of a probe in total; 0: 200 training images, or 40 of each class, and half as many validation images.
 */
function probeCounts(images: number, { train, validation }: ImageCounts, classCount: number): ProbeCounts {
  const auto = Math.max(
    FEWEST_TRAIN_IMAGES,
    Math.min(IMAGES_PER_CLASS * classCount, ENOUGH_TRAIN_IMAGES),
    FEWEST_PER_CLASS * classCount,
  );
  const trainImageCount = Math.min(train, images === 0 ? auto : Math.max(1, Math.round(images * TRAIN_PART)));
  const rest = images === 0 ? Math.round(auto / 2) : images - Math.round(images * TRAIN_PART);
  return { trainImageCount, validationImageCount: Math.min(validation, rest) };
}

/** Inputs of the plan of a screen. */
export interface ProbePlanInput {
  readonly sweepId: string;
  readonly runs: readonly PlannedRun[];
  /** Run that the others are compared with; null: there is none. */
  readonly baselineRunId: string | null;
  /** `screen.images`. */
  readonly images: number;
  readonly context: CostContext;
  readonly datasetDigest: string;
  readonly digestOf: WeightsDigest;
}

/** Plans one probe for each base, cut, image size and pooling of the runs, in the order of the runs. */
export function planProbes(input: ProbePlanInput): PlannedProbe[] {
  const { sweepId, images, context, datasetDigest, digestOf, baselineRunId } = input;
  const runs = [...input.runs].sort((a, b) => a.index - b.index);
  const counts = probeCounts(images, context.imageCounts, context.classCount);
  const groups = [...groupByKey(runs, ({ config }) => targetKey(targetOf(config))).values()];
  return groups.flatMap((members, position): PlannedProbe[] => {
    const [first] = members;
    if (first === undefined) return [];
    const target = targetOf(first.config);
    const { backbone, cut, imageSize, pooling } = target;
    const weightsDigest = digestOf(first.config.backbone);
    const sets = (['train', 'validation'] as const).map((split) =>
      withKey({ datasetDigest, split, backbone, weightsDigest, cut, imageSize, pooling, dtype: 'float32' }),
    );
    return [
      {
        taskId: probeTaskIdOf(sweepId, position + 1),
        position,
        target,
        order: { backbone, cut, imageSize, pooling, weightsDigest, ...counts },
        isBaseline: members.some(({ runId }) => runId === baselineRunId),
        runIds: members.map(({ runId }) => runId),
        featureSeconds: forecastFeatures(context, sets).seconds,
        description: describeProbe(target, counts),
        forecast: forecastProbe(context, target, counts),
      },
    ];
  });
}

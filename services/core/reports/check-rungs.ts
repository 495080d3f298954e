import type { FieldViolation } from '../sweep/sweep-spec.ts';
import { MAX_REPORTED_LOSSES } from '../task.ts';
import type { RungReport } from '../task.ts';
import type { MetricFacts } from './check-metrics.ts';
import { LOSS_ROUNDING } from './check-metrics.ts';
import { Mistakes } from './mistakes.ts';
import { shown } from './text-rules.ts';

/** The task that a batch of rung reports belongs to. */
export interface RungFacts extends MetricFacts {
  /** Number of validation images of its data set. */
  readonly imageCount: number;
}

/** Returns the mistakes in the rung reports of a batch. */
export function checkRungs(rungs: readonly RungReport[], facts: RungFacts): FieldViolation[] {
  const mistakes = new Mistakes();
  const seen = new Set<string>();
  for (const [index, report] of rungs.entries()) {
    const { runId, stage, epoch, isEnd, epochCount } = report;
    const field = `rungs[${index}]`;
    const limit = facts.epochLimits.get(runId);
    if (limit === undefined) {
      mistakes.add(`${field}.run_id`, `${shown(runId)} is no run of task ${facts.taskId}.`);
    }
    if (stage !== facts.stage) mistakes.add(`${field}.stage`, `must be ${facts.stage}; received ${stage}.`);
    mistakes.count(`${field}.epoch_count`, epochCount, 1, limit ?? Infinity);
    if (isEnd) {
      mistakes.count(`${field}.epoch`, epoch, 1, epochCount);
    } else if (epoch !== epochCount) {
      const description = `must be epoch_count, ${epochCount}, unless is_end; received ${epoch}.`;
      mistakes.add(`${field}.epoch`, description);
    }
    const key = `${runId} ${isEnd ? 'end' : epoch}`;
    if (seen.has(key)) mistakes.add(field, `must be of each run and epoch once; received ${shown(key)} twice.`);
    seen.add(key);
    checkImages(report, facts.imageCount, field, mistakes);
  }
  return mistakes.list;
}

/** Checks that the results are of all images and no more. */
function checkImages({ correct, losses }: RungReport, imageCount: number, field: string, mistakes: Mistakes): void {
  const byteCount = Math.ceil(imageCount / 8);
  if (correct.length !== byteCount) {
    const description = `must be ${byteCount} bytes for ${imageCount} validation images; received ${correct.length}.`;
    mistakes.add(`${field}.validation_correct`, description);
  } else if ((correct.at(-1) ?? 0) >> (imageCount % 8 || 8) > 0) {
    mistakes.add(`${field}.validation_correct`, `must be 0 behind the last of ${imageCount} images.`);
  }
  if (losses === null && imageCount > MAX_REPORTED_LOSSES) return;
  if (losses?.length !== imageCount) {
    const description = `must be ${imageCount}, one for each validation image; received ${losses?.length ?? 0}.`;
    mistakes.add(`${field}.validation_losses`, description);
    return;
  }
  const wrong = losses.findIndex((loss) => !(loss >= -LOSS_ROUNDING && loss < Infinity));
  if (wrong === -1) return;
  mistakes.add(`${field}.validation_losses[${wrong}]`, `must be finite and 0 or above; received ${losses[wrong]}.`);
}

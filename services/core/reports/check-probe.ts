import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { ProbeMeasurement } from '../task.ts';
import { Mistakes } from './mistakes.ts';

/** Numbers of images that a probe was asked for. */
export interface AskedProbe {
  readonly trainImageCount: number;
  readonly validationImageCount: number;
}

const MAX_FEATURES = 2 ** 20;

/** Returns the mistakes in the result of PROBE. */
export function checkProbe(result: ProbeMeasurement, asked: AskedProbe): FieldViolation[] {
  const mistakes = new Mistakes();
  const imageCount = asked.trainImageCount + asked.validationImageCount;
  const { correct } = result;
  mistakes.count('probe.image_count', result.imageCount, imageCount, imageCount);
  const byteCount = Math.ceil(imageCount / 8);
  if (correct.length !== byteCount) {
    mistakes.add(
      'probe.correct',
      `must be ${byteCount} bytes for ${imageCount} images; received ${correct.length} bytes.`,
    );
  } else if ((correct.at(-1) ?? 0) >> (imageCount % 8 || 8) > 0) {
    mistakes.add('probe.correct', `must be 0 behind the last of ${imageCount} images.`);
  }
  mistakes.range('probe.log_me', result.logMe, -Number.MAX_VALUE, Number.MAX_VALUE);
  mistakes.range('probe.penalty', result.penalty, 0, Number.MAX_VALUE);
  mistakes.range('probe.latency_seconds', result.latencySeconds, 0, Number.MAX_VALUE);
  mistakes.count('probe.feature_count', result.featureCount, 1, MAX_FEATURES);
  mistakes.range('probe.seconds', result.seconds, 0, Number.MAX_VALUE);
  return mistakes.list;
}

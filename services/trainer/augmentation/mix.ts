import { mixBatchStream, mixStream } from '../../core/rng/stream.ts';
import type { AugmentationConfig } from '../../core/run-config.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import type { BatchLabels } from '../heads/batch-labels.ts';
import type { AugmentationPosition } from './augment.ts';
import { perImage } from './color.ts';

/** A rectangle in pixels: from the first edge, inclusive, to the second, exclusive. */
export interface MixBox {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Pairs of images of a batch, and how they are mixed. */
export interface MixDraw {
  /** Position within the batch of the image that is mixed into each image. */
  readonly partners: readonly number[];
  /** Share of each image that remains. */
  readonly shares: readonly number[];
  /** CutMix: the rectangle of each image that shows its partner; null: MixUp. */
  readonly boxes: readonly MixBox[] | null;
}

/**
 * Draws how a batch is mixed; null if it is not. Whether and with which layer is drawn for each batch, shares and boxes for each
 * image. The probabilities are scaled to a sum of at most 1, so that two of 1 are chosen equally often, as by torchvision's
 * `RandomChoice([MixUp(), CutMix()])`. A batch is known by its first image, which occurs once in an epoch.
 *
 * @param size height and width of the images.
 */
export function drawMix(config: AugmentationConfig, position: AugmentationPosition, size: number): MixDraw | null {
  const { mixup, cutmix, seed } = config;
  if (mixup === null && cutmix === null) return null;
  const indices = Array.from(position.indices);
  const random = mixBatchStream(seed, position.epoch, indices[0] ?? 0);
  const total = (mixup?.probability ?? 0) + (cutmix?.probability ?? 0);
  const at = random.uniform() * Math.max(1, total);
  if (at >= total) return null;
  const partners = Array.from(random.permutation(indices.length));
  const streams = indices.map((index) => mixStream(seed, position.epoch, index));
  if (mixup !== null && at < mixup.probability) {
    return { partners, shares: streams.map((stream) => stream.beta(mixup.alpha, mixup.alpha)), boxes: null };
  }
  const alpha = cutmix?.alpha ?? 1;
  const boxes = streams.map((stream) =>
    boxOf({ share: stream.beta(alpha, alpha), across: stream.uniform(), down: stream.uniform() }, size),
  );
  return { partners, shares: boxes.map((box) => shareBeside(box, size)), boxes };
}

/**
 * Returns the box of one image, as Keras 3.15 `CutMix` computes it: its sides are √(1 − share) of the image's, and it lies inside.
 *
 * @param share of the image that remains.
 * @param across position of the box as a part of the free width.
 * @param down position of the box as a part of the free height.
 */
export function boxOf(
  { share, across, down }: { readonly share: number; readonly across: number; readonly down: number },
  size: number,
): MixBox {
  const length = Math.sqrt(1 - share) * size;
  const left = across * (size - length);
  const top = down * (size - length);
  return { left, right: left + length, top, bottom: top + length };
}

/** Returns the share of the image beside its box. */
export function shareBeside({ left, right, top, bottom }: MixBox, size: number): number {
  return 1 - ((right - left) * (bottom - top)) / (size * size);
}

/**
 * Mixes the images of a batch, as Keras 3.15 `MixUp.transform_images` and `CutMix.transform_images` do.
 *
 * @param images [n, height, width, channels]; the caller keeps ownership.
 */
export function mixImages(images: Tensor4D, { partners, shares, boxes }: MixDraw): Tensor4D {
  return tf.tidy(() => {
    const others = tf.gather<Tensor4D>(images, [...partners]);
    if (boxes !== null) return tf.where<Tensor4D>(insideBoxes(boxes, images.shape[1]), others, images);
    const weights = perImage(shares);
    return tf.add(tf.mul(weights, images), tf.mul(tf.sub(1, weights), others));
  });
}

/** Returns [n, size, size, 1]: true within the box of each image. */
function insideBoxes(boxes: readonly MixBox[], size: number): Tensor {
  const pixels = Array.from({ length: size }, (_, pixel) => pixel);
  const rows = boxes.flatMap(({ top, bottom }) => pixels.map((y) => Number(y >= top && y < bottom)));
  const columns = boxes.flatMap(({ left, right }) => pixels.map((x) => Number(x >= left && x < right)));
  return tf.logicalAnd(
    tf.tensor(rows, [boxes.length, size, 1, 1], 'bool'),
    tf.tensor(columns, [boxes.length, 1, size, 1], 'bool'),
  );
}

/**
 * Mixes the labels of a batch as its images.
 *
 * @param labels one per image, before mixing.
 */
export function mixLabels(labels: readonly number[], { partners, shares }: MixDraw): BatchLabels {
  const pairs = labels.map((label, index) => {
    const other = labels[partners[index] ?? index] ?? label;
    const share = shares[index] ?? 1;
    const isFirst = share > 0.5 || (share === 0.5 && label <= other);
    return isFirst ? { label, other, share } : { label: other, other: label, share: 1 - share };
  });
  return {
    labels: pairs.map(({ label }) => label),
    mix: { others: pairs.map(({ other }) => other), shares: pairs.map(({ share }) => share) },
  };
}

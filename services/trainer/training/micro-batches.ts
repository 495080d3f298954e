import type { RandomStream } from '../../core/rng/stream.ts';
import { tf } from '../engine/engine.ts';
import type { Tensor } from '../engine/engine.ts';
import type { HeadTargets } from '../heads/head.ts';
import type { ResourceVariable } from '../heads/resource-variable.ts';
import type { InputSpec, Network, NetworkStep } from './network.ts';

/**
 * A network that processes each batch in micro-batches, one after the other, and adds up their gradients, weighted by their
 * images. The step equals that of the whole batch up to rounding, and needs the memory of one micro-batch. Only dropout differs:
 * each micro-batch draws its own masks from the step's stream.
 */
export class MicroBatchNetwork implements Network {
  readonly input: InputSpec;
  readonly #whole: Network;
  readonly #divisor: number;

  /**
   * Takes ownership of the whole network.
   *
   * @param divisor number of micro-batches, 2 or more.
   */
  constructor(whole: Network, divisor: number) {
    this.input = whole.input;
    this.#whole = whole;
    this.#divisor = divisor;
  }

  get variables(): readonly ResourceVariable[] {
    return this.#whole.variables;
  }

  train(input: Tensor, targets: HeadTargets, dropout: RandomStream): NetworkStep {
    const rowCount = rowsOf(input);
    const logits: Tensor[] = [];
    let penalty: Tensor | null = null;
    let gradients: readonly Tensor[] = [];
    for (const { begin, count } of partsOf(rowCount, this.#divisor)) {
      const rows = tf.slice(input, begin, count);
      const partTargets = {
        ...targets,
        values: tf.slice(targets.values, begin, count),
        sampleWeights: targets.sampleWeights === null ? null : tf.slice(targets.sampleWeights, begin, count),
      };
      const step = this.#whole.train(rows, partTargets, dropout);
      logits.push(step.logits);
      // The weights, and so their penalty, are the same for all micro-batches.
      if (penalty === null) penalty = step.penalty;
      else step.penalty?.dispose();
      gradients = addWeighted(gradients, step.gradients, count / rowCount);
      tf.dispose([rows, partTargets.values]);
      partTargets.sampleWeights?.dispose();
    }
    const joined = tf.concat(logits, 0);
    tf.dispose(logits);
    return { logits: joined, penalty, gradients };
  }

  predict(input: Tensor): Tensor {
    return this.#whole.predict(input);
  }

  penaltyValue(): number {
    return this.#whole.penaltyValue();
  }

  dispose(): void {
    this.#whole.dispose();
  }
}

/** Divides rows into micro-batches of nearly equal size, none empty. */
export function partsOf(
  rowCount: number,
  divisor: number,
): readonly { readonly begin: number; readonly count: number }[] {
  const size = Math.max(1, Math.ceil(rowCount / divisor));
  return Array.from({ length: Math.ceil(rowCount / size) }, (_, index) => {
    const begin = index * size;
    return { begin, count: Math.min(size, rowCount - begin) };
  });
}

/** Applies `compute` to a batch, micro-batch by micro-batch. The caller owns input and output. */
export function computeInParts(input: Tensor, divisor: number, compute: (rows: Tensor) => Tensor): Tensor {
  if (divisor === 1) return compute(input);
  const outputs = partsOf(rowsOf(input), divisor).map(({ begin, count }) => {
    const rows = tf.slice(input, begin, count);
    const output = compute(rows);
    rows.dispose();
    return output;
  });
  const joined = tf.concat(outputs, 0);
  tf.dispose(outputs);
  return joined;
}

/** Returns sums + weight · gradients; disposes of both. */
function addWeighted(sums: readonly Tensor[], gradients: readonly Tensor[], weight: number): readonly Tensor[] {
  return gradients.map((gradient, index) => {
    const sum = sums[index];
    const next = tf.tidy(() => {
      const weighted = tf.mul(gradient, weight);
      return sum === undefined ? weighted : tf.add(sum, weighted);
    });
    gradient.dispose();
    sum?.dispose();
    return next;
  });
}

function rowsOf(tensor: Tensor): number {
  const [rows = 0] = tensor.shape as readonly number[];
  return rows;
}

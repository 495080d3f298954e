import { createStream } from '../../services/core/rng/stream.ts';
import type { RandomStream } from '../../services/core/rng/stream.ts';

/** Size below the server's limit of 4 MiB and above any buffer for a usual message. */
const LARGE_BYTES = 1 << 20;
const NESTING = 2_000;

/** Generates bytes that a careless or hostile client might send instead of a message. Equal seeds give equal bytes. */
export class Mutator {
  readonly #random: RandomStream;

  constructor(seed: number, name: string) {
    this.#random = createStream('fuzz', seed, name);
  }

  /** @param samples well-formed messages of the type and, one in ten, of other types. */
  next(samples: readonly Uint8Array[], others: readonly Uint8Array[]): Buffer {
    const of = this.#chance(0.1) ? others : samples;
    const sample = Buffer.from(of[this.#below(of.length)] ?? []);
    switch (this.#below(10)) {
      case 0:
        return this.#bytes(this.#below(200));
      case 1:
        return sample;
      case 2:
        return sample.subarray(0, this.#below(sample.length + 1));
      case 3:
        return Buffer.concat([sample, this.#bytes(this.#below(50))]);
      case 4:
        // Duplicate fields: the last one is used, and lists grow.
        return Buffer.concat([sample, sample]);
      case 5:
        return this.#withOddValue(sample);
      case 6:
        return this.#chance(0.01) ? this.#nested() : this.#flipped(sample, 1);
      case 7:
        return this.#chance(0.01) ? Buffer.alloc(LARGE_BYTES, this.#below(256)) : this.#flipped(sample, 3);
      default:
        return this.#flipped(sample, 1 + this.#below(8));
    }
  }

  #flipped(sample: Buffer, count: number): Buffer {
    const bytes = Buffer.from(sample);
    for (let index = 0; index < count && bytes.length > 0; index += 1) {
      bytes[this.#below(bytes.length)] = this.#below(256);
    }
    return bytes;
  }

  /** Replaces a length, number or tag inside by the largest, the smallest or a varint of ten bytes. */
  #withOddValue(sample: Buffer): Buffer {
    const odd = [[0xff, 0xff, 0xff, 0xff, 0x0f], Array<number>(9).fill(0xff).concat(0x01), [0x80, 0x80, 0x00], [0x00]];
    const at = this.#below(sample.length + 1);
    return Buffer.concat([
      sample.subarray(0, at),
      Buffer.from(odd[this.#below(odd.length)] ?? []),
      sample.subarray(at + 1),
    ]);
  }

  /** Nests messages deeply, in a field that some messages have. */
  #nested(): Buffer {
    const tag = ((1 + this.#below(10)) << 3) | 2;
    let bytes = Buffer.alloc(0);
    for (let depth = 0; depth < NESTING; depth += 1)
      bytes = Buffer.concat([Buffer.of(tag), varint(bytes.length), bytes]);
    return bytes;
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }

  #below(limit: number): number {
    return limit === 0 ? 0 : this.#random.int(limit);
  }

  #chance(share: number): boolean {
    return this.#random.uniform() < share;
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

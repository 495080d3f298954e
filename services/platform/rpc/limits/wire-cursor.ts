/** Bytes that are not a message in the wire format. */
export class UnreadableMessageError extends Error {
  override readonly name = 'UnreadableMessageError';
}

/** A 64-bit integer in two halves, so that reading it allocates no bigint. */
export interface Varint {
  /** Lower 32 bits, unsigned. */
  low: number;
  /** Upper 32 bits, unsigned. */
  high: number;
}

/** Reads the protobuf wire format in place, without allocating objects. */
export class WireCursor {
  readonly bytes: Uint8Array;
  position = 0;
  readonly #varint: Varint = { low: 0, high: 0 };

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * Reads a varint into an object that is reused by the next call.
   *
   * @throws UnreadableMessageError
   */
  varint(): Readonly<Varint> {
    const { bytes } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[this.position];
      if (byte === undefined) throw new UnreadableMessageError('it ends in the middle of a number');
      this.position += 1;
      const part = byte & 0x7f;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high = part >> 4;
      } else high |= part << (shift - 32);
      if (byte < 0x80) {
        this.#varint.low = low >>> 0;
        this.#varint.high = high >>> 0;
        return this.#varint;
      }
    }
    throw new UnreadableMessageError('it has a number of more than ten bytes');
  }

  /**
   * Returns the end of the length-delimited field at the cursor.
   *
   * @param limit end of the message around it
   * @throws UnreadableMessageError
   */
  endOfField(limit: number): number {
    const { low, high } = this.varint();
    const end = this.position + low;
    if (high !== 0 || end > limit) throw new UnreadableMessageError('a field is longer than the message around it');
    return end;
  }

  /** @throws UnreadableMessageError */
  skip(wireType: number, limit: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.position += 8;
    else if (wireType === 2) this.position = this.endOfField(limit);
    else if (wireType === 5) this.position += 4;
    else throw new UnreadableMessageError(`it has a field of the wire type ${wireType}, which proto3 does not have`);
    if (this.position > limit) throw new UnreadableMessageError('a field is longer than the message around it');
  }
}

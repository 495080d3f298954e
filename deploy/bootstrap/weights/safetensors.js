/**
 * Writes the safetensors format (https://github.com/huggingface/safetensors): the header's length as a little-endian
 * 64-bit number, the header as JSON padded with blanks to a multiple of 8, then the numbers.
 *
 * @param {ReadonlyMap<string, { shape: readonly number[], data: Float32Array }>} tensors
 * @param {Readonly<Record<string, string>>} metadata
 * @returns {Buffer}
 */
export function encodeSafetensors(tensors, metadata) {
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const text = JSON.stringify(header);
  const encoded = Buffer.from(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8), ' '));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(encoded.length));
  const bodies = [...tensors.values()].map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return Buffer.concat([length, encoded, ...bodies]);
}

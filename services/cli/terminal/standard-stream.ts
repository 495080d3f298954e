/** Path that stands for standard input where a file is read, and for standard output where one is written. */
export const STANDARD_STREAM = '-';

/** Input as bytes: standard input of the process, or a test's. */
export type ByteStream = AsyncIterable<Uint8Array | string>;

/** Reads a stream to its end, but at most one chunk beyond `maxBytes`. */
export async function readStream(stream: ByteStream, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk));
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return Buffer.concat(chunks);
}

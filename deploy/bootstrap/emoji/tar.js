import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';

const BLOCK = 512;

/**
 * Walks through a gzipped tar file (ustar, as npm packs it) and yields the files wanted, one at a time in memory.
 *
 * @param {string} path
 * @param {(name: string) => boolean} wanted
 * @returns {AsyncGenerator<{ name: string, content: Buffer }>}
 * @throws {Error} when the file ends early
 */
export async function* readTarGz(path, wanted) {
  const blocks = new ByteQueue(createReadStream(path).pipe(createGunzip()));
  for (;;) {
    const header = await blocks.take(BLOCK);
    if (header === undefined || header[0] === 0) return;
    const prefix = text(header, 345, 155);
    const name = `${prefix}${prefix === '' ? '' : '/'}${text(header, 0, 100)}`;
    const size = Number.parseInt(text(header, 124, 12).trim() || '0', 8);
    const isFile = header[156] === 0x30 || header[156] === 0;
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    if (isFile && wanted(name)) {
      const content = await blocks.take(padded);
      if (content === undefined) throw new Error(`${path} ends inside ${name}.`);
      yield { name, content: content.subarray(0, size) };
    } else {
      await blocks.skip(padded);
    }
  }
}

/**
 * @param {Buffer} header
 * @param {number} start
 * @param {number} length
 */
function text(header, start, length) {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
}

class ByteQueue {
  /** @param {AsyncIterable<Buffer>} source */
  constructor(source) {
    this.source = source[Symbol.asyncIterator]();
    /** @type {Buffer} */
    this.rest = Buffer.alloc(0);
  }

  /**
   * @param {number} count
   * @returns {Promise<Buffer | undefined>} undefined when fewer are left
   */
  async take(count) {
    const parts = [this.rest];
    let have = this.rest.length;
    while (have < count) {
      const { value, done } = await this.source.next();
      if (done === true) return undefined;
      parts.push(value);
      have += value.length;
    }
    const all = parts.length === 1 ? this.rest : Buffer.concat(parts);
    this.rest = all.subarray(count);
    return all.subarray(0, count);
  }

  /** @param {number} count */
  async skip(count) {
    let left = count;
    while (left > this.rest.length) {
      left -= this.rest.length;
      const { value, done } = await this.source.next();
      this.rest = done === true ? Buffer.alloc(0) : value;
      if (done === true) return;
    }
    this.rest = this.rest.subarray(left);
  }
}

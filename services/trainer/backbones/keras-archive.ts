import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { BackboneError } from './backbone.ts';

const WEIGHTS_MEMBER = 'model.weights.h5';

/** ZIP (PKWARE APPNOTE 6.3): signatures and lengths of the parts that are read here. */
const END_SIGNATURE = 0x06054b50;
const END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
const DIRECTORY_SIGNATURE = 0x02014b50;
const DIRECTORY_LENGTH = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_LENGTH = 30;
const STORED = 0;
const DEFLATED = 8;
/** In place of a number that stands elsewhere because it is too large: from 4 GiB on. */
const IN_ZIP64 = 0xffffffff;

interface Member {
  readonly method: number;
  readonly compressedBytes: number;
  readonly headerOffset: number;
}

/**
 * Takes the weights out of a `.keras` archive into a temporary file, for the time that `read` takes.
 *
 * @param read gets the temporary file's path.
 * @throws BackboneError when the file is no such archive.
 */
export async function withArchivedWeights<T>(
  path: string,
  backbone: string,
  read: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-weights-'));
  try {
    const extracted = join(folder, WEIGHTS_MEMBER);
    await extract(path, backbone, extracted);
    return await read(extracted);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function extract(path: string, backbone: string, target: string): Promise<void> {
  await using file = await open(path, 'r');
  const member = await findMember(file);
  if (typeof member === 'string') throw archiveError(path, backbone, member);
  const header = await readBytes(file, member.headerOffset, LOCAL_LENGTH);
  if (header.length < LOCAL_LENGTH || header.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw archiveError(path, backbone, 'it is damaged');
  }
  const start = member.headerOffset + LOCAL_LENGTH + header.readUInt16LE(26) + header.readUInt16LE(28);
  const source = createReadStream(path, { start, end: start + member.compressedBytes - 1 });
  const decode = member.method === DEFLATED ? createInflateRaw() : new PassThrough();
  await pipeline(source, decode, createWriteStream(target)).catch((error: unknown) => {
    throw archiveError(path, backbone, `it is damaged (${error instanceof Error ? error.message : String(error)})`);
  });
}

/** Returns the weights' place, or what is wrong with the file. */
async function findMember(file: FileHandle): Promise<Member | string> {
  const { size } = await file.stat();
  const tailLength = Math.min(size, END_LENGTH + LONGEST_COMMENT);
  const tail = await readBytes(file, size - tailLength, tailLength);
  let end = tail.length - END_LENGTH;
  while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--;
  if (end < 0) return 'it is not a ZIP archive, or truncated';
  const directory = await readBytes(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  for (let at = 0; at + DIRECTORY_LENGTH <= directory.length;) {
    if (directory.readUInt32LE(at) !== DIRECTORY_SIGNATURE) return 'it is damaged';
    const nameEnd = at + DIRECTORY_LENGTH + directory.readUInt16LE(at + 28);
    if (directory.toString('utf8', at + DIRECTORY_LENGTH, nameEnd) === WEIGHTS_MEMBER) return memberAt(directory, at);
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return `it has no ${WEIGHTS_MEMBER}`;
}

function memberAt(directory: Buffer, at: number): Member | string {
  const method = directory.readUInt16LE(at + 10);
  const compressedBytes = directory.readUInt32LE(at + 20);
  const headerOffset = directory.readUInt32LE(at + 42);
  if (method !== STORED && method !== DEFLATED)
    return `its ${WEIGHTS_MEMBER} is compressed by the unknown method ${method}`;
  if (compressedBytes === IN_ZIP64 || headerOffset === IN_ZIP64) return 'it is larger than 4 GiB';
  return { method, compressedBytes, headerOffset };
}

async function readBytes(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function archiveError(path: string, backbone: string, problem: string): BackboneError {
  return new BackboneError(`${path} doesn't hold weights of ${backbone}: ${problem}.`, { backbone });
}

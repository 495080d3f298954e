import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { openPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { fileError, lookalikeHint } from './weight-file-error.ts';
import type { WeightSource } from './weight-file-error.ts';

const WEIGHTS_MEMBER = 'model.weights.h5';
const FLOAT_BYTES = 4;
const MEBIBYTE = 1 << 20;
/**
 * Bounds on an archive's weights. A base with a large head and Adam's two slots, in double precision, is below the
 * first; float32 weights don't compress to a twentieth, and sizes below the third are harmless.
 */
const MAX_FOLD = 16;
const MAX_HEAD_BYTES = 2048 * MEBIBYTE;
const MAX_RATIO = 20;
const SMALL_BYTES = 64 * MEBIBYTE;

/**
 * Extracts the weights of a `.keras` archive to a temporary file, for the time that `read` takes.
 *
 * @param graph the base, which bounds what is extracted.
 * @param read gets the temporary file's path.
 * @throws BackboneError when the file is no such archive, is damaged, or would extract to more than such weights can be.
 */
export async function withArchivedWeights<T>(
  path: string,
  graph: LayerGraph,
  read: (path: string) => Promise<T>,
): Promise<T> {
  const source = { path, backbone: graph.backbone };
  const folder = await mkdtemp(join(tmpdir(), 'graft-weights-'));
  try {
    const extracted = join(folder, WEIGHTS_MEMBER);
    await extract(source, baseBytes(graph), extracted);
    return await read(extracted);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function baseBytes(graph: LayerGraph): number {
  const counts = graph.weights.flat().map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  return counts.reduce((sum, count) => sum + count * FLOAT_BYTES, 0);
}

async function extract(source: WeightSource, expectedBytes: number, target: string): Promise<void> {
  const archive = await openArchive(source);
  try {
    const members = await weightMembers(source, archive);
    const [member] = members;
    if (member === undefined) throw fileError(source, `it has no ${WEIGHTS_MEMBER}`);
    if (members.length > 1) {
      const places = members.map((entry) => entry.relativeOffsetOfLocalHeader).join(' and ');
      throw fileError(source, `it has ${members.length} members ${WEIGHTS_MEMBER}, at the bytes ${places}`);
    }
    checkMember(source, member, expectedBytes);
    await extractMember(source, archive, member, target);
  } finally {
    archive.close();
  }
}

async function openArchive(source: WeightSource): Promise<ZipFile> {
  try {
    return await openPromise(source.path, { lazyEntries: true, autoClose: false });
  } catch (error) {
    if (isSystemError(error)) throw error;
    const hint = await lookalikeHint(source.path);
    throw fileError(
      source,
      `it is not a ZIP archive, or truncated (${textOf(error)})${hint.includes('ZIP') ? '' : hint}`,
    );
  }
}

async function weightMembers(source: WeightSource, archive: ZipFile): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  try {
    for await (const entry of archive.eachEntry()) if (entry.fileName === WEIGHTS_MEMBER) found.push(entry);
  } catch (error) {
    throw isSystemError(error) ? error : fileError(source, `it is damaged (${textOf(error)})`);
  }
  return found;
}

function checkMember(source: WeightSource, member: Entry, expectedBytes: number): void {
  if (member.isEncrypted())
    throw fileError(source, `its ${WEIGHTS_MEMBER} is encrypted; give an archive without a password`);
  if (member.compressionMethod !== 0 && member.compressionMethod !== 8) {
    throw fileError(
      source,
      `its ${WEIGHTS_MEMBER} is compressed by method ${member.compressionMethod}; deflate is read`,
    );
  }
  const { uncompressedSize, compressedSize } = member;
  const isBomb = uncompressedSize > SMALL_BYTES && uncompressedSize > MAX_RATIO * compressedSize;
  if (isBomb || uncompressedSize > MAX_FOLD * expectedBytes + MAX_HEAD_BYTES) {
    throw fileError(
      source,
      `its ${WEIGHTS_MEMBER} would extract from ${compressedSize} to ${uncompressedSize} bytes, but the base has ` +
        `${expectedBytes}. Save the base alone, without optimizer, by save_weights`,
    );
  }
}

/** yauzl ends the stream when it is longer or shorter than the archive says, but does not compare its checksum. */
async function extractMember(source: WeightSource, archive: ZipFile, member: Entry, target: string): Promise<void> {
  let checksum = 0;
  const observer = new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      checksum = crc32(chunk, checksum);
      done(null, chunk);
    },
  });
  try {
    await pipeline(await archive.openReadStreamPromise(member), observer, createWriteStream(target));
  } catch (error) {
    throw isSystemError(error) ? error : fileError(source, `it is damaged (${textOf(error)})`);
  }
  if (checksum !== member.crc32)
    throw fileError(source, `the checksum of its ${WEIGHTS_MEMBER} is wrong. Download it again`);
}

/** The machine's: a full disk, a file that can't be opened. zlib's errors have codes too, of its own. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

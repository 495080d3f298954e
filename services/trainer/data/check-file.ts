import { createHash } from 'node:crypto';
import type { DatasetProblemCode } from '../../core/dataset.ts';
import { fileProblem } from '../../platform/files/file-problem.ts';
import { NotReadableFileError } from '../../platform/files/read-regular-file.ts';
import { findBlank } from './blank-image.ts';
import type { BlankImage } from './blank-image.ts';
import { averageCells, decodeImage, ImageDecodeError } from './decode-image.ts';
import type { DecodedImage } from './decode-image.ts';
import { encodeFingerprint, FINGERPRINT_HEIGHT, FINGERPRINT_WIDTH, fingerprintOf } from './fingerprint.ts';
import { foreignFormat } from './image-format.ts';

/** Result of checking one image file. */
export interface FileCheck {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Encoded by `encodeFingerprint`; null if the image can't be decoded. */
  readonly fingerprint: string | null;
  /** null if the image is not blank, or can't be decoded. */
  readonly blank: BlankImage | null;
  /** null if the image can be decoded. */
  readonly problem: FileProblem | null;
}

/** A reason that a file can be used neither for training nor for prediction. */
export interface FileProblem {
  readonly code: DatasetProblemCode;
  /** A clause, for example "the file is empty". */
  readonly reason: string;
}

/** Hashes a file's contents and decodes them in full, which is the only way to detect a truncated image. */
export function checkFile(contents: Uint8Array | Error): FileCheck {
  if (contents instanceof Error) {
    return { sha256: '', sizeBytes: 0, fingerprint: null, blank: null, problem: problemOfReading(contents) };
  }
  const sha256 = createHash('sha256').update(contents).digest('hex');
  return { sha256, sizeBytes: contents.length, ...inspect(contents) };
}

/** Converts an error thrown by `readRegularFile`. */
export function problemOfReading(error: Error): FileProblem {
  if (error instanceof NotReadableFileError) return { code: 'UNREADABLE', reason: error.message };
  const reason = fileProblem(error)?.clause ?? `can't be read: ${error.message}`;
  return { code: 'UNREADABLE', reason: `it ${reason}` };
}

/** Returns the problem of contents that are not passed to a decoder at all; null if they are to be decoded. */
export function problemOfContents(contents: Uint8Array): FileProblem | null {
  if (contents.length === 0) return { code: 'CORRUPT_IMAGE', reason: 'the file is empty' };
  const format = foreignFormat(contents);
  return format === null ? null : { code: 'UNSUPPORTED_FORMAT', reason: `its content is ${format}, despite its name` };
}

function problemOfDecoding({ isTooLarge, reason }: ImageDecodeError): FileProblem {
  return { code: isTooLarge ? 'IMAGE_TOO_LARGE' : 'CORRUPT_IMAGE', reason };
}

function inspect(contents: Uint8Array): Pick<FileCheck, 'fingerprint' | 'blank' | 'problem'> {
  const problem = problemOfContents(contents);
  if (problem !== null) return { fingerprint: null, blank: null, problem };
  let decoded: DecodedImage;
  try {
    decoded = decodeImage(contents);
  } catch (error) {
    if (!(error instanceof ImageDecodeError)) throw error;
    return { fingerprint: null, blank: null, problem: problemOfDecoding(error) };
  }
  const { pixels, header } = decoded;
  try {
    const cells = averageCells(pixels, FINGERPRINT_HEIGHT, FINGERPRINT_WIDTH);
    const blank = findBlank(contents, header, pixels, cells);
    return { fingerprint: encodeFingerprint(fingerprintOf(cells)), blank, problem: null };
  } finally {
    pixels.dispose();
  }
}

import { createHash } from 'node:crypto';
import type { DatasetProblemCode } from '../../core/dataset.ts';
import { decodeAndAverage, ImageDecodeError } from './decode.ts';
import { encodeFingerprint, FINGERPRINT_HEIGHT, FINGERPRINT_WIDTH, fingerprintOf } from './fingerprint.ts';
import { foreignFormat } from './image-format.ts';

/** What is known of one image file. */
export interface FileCheck {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Encoded (fingerprint.ts); null where it can't be decoded. */
  readonly fingerprint: string | null;
  /** null: it can be decoded. */
  readonly problem: { readonly code: DatasetProblemCode; readonly reason: string } | null;
}

/** Hashes a file's contents and decodes them in full: only that finds an image that is cut off. */
export function checkFile(contents: Uint8Array | Error): FileCheck {
  if (contents instanceof Error) {
    const code = 'code' in contents ? String(contents.code) : contents.message;
    return {
      sha256: '',
      sizeBytes: 0,
      fingerprint: null,
      problem: { code: 'UNREADABLE', reason: `it can't be read (${code})` },
    };
  }
  const sha256 = createHash('sha256').update(contents).digest('hex');
  return { sha256, sizeBytes: contents.length, ...look(contents) };
}

function look(contents: Uint8Array): Pick<FileCheck, 'fingerprint' | 'problem'> {
  const bad = (code: DatasetProblemCode, reason: string) => ({ fingerprint: null, problem: { code, reason } });
  if (contents.length === 0) return bad('CORRUPT_IMAGE', 'the file is empty');
  const format = foreignFormat(contents);
  if (format !== null) return bad('UNSUPPORTED_FORMAT', `its content is ${format}, whatever its name says`);
  try {
    const cells = decodeAndAverage(contents, FINGERPRINT_HEIGHT, FINGERPRINT_WIDTH);
    return { fingerprint: encodeFingerprint(fingerprintOf(cells)), problem: null };
  } catch (error) {
    if (!(error instanceof ImageDecodeError)) throw error;
    return bad('CORRUPT_IMAGE', error.reason);
  }
}

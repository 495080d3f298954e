import { basename } from 'node:path';
import { fileKind, READ_FORMATS } from '../../core/file-kind.ts';
import { readRegularFile } from '../../platform/files/read-regular-file.ts';
import { problemOfContents, problemOfReading } from './check-file.ts';
import { decodeAndResize, ImageDecodeError } from './decode-image.ts';

/** A job that decodes image files, whose pixels the answer carries; can be executed in any process. */
export interface PixelsJob {
  readonly kind: 'pixels';
  /** Absolute paths. */
  readonly paths: readonly string[];
  /** Height and width in pixels. */
  readonly size: number;
}

/** Pixels of an image, or the reason that it can't be read, as a clause. */
export type PixelsOrProblem = Float32Array | string;

/** Decodes the files one after the other, so that only one large file is in memory at a time. */
export async function decodePixels({ paths, size }: PixelsJob): Promise<readonly PixelsOrProblem[]> {
  const decoded: PixelsOrProblem[] = [];
  for (const path of paths) decoded.push(await decodeFile(path, size));
  return decoded;
}

/** Prediction refuses what training refuses, except for an unknown file extension: here a person has named each file. */
async function decodeFile(path: string, size: number): Promise<PixelsOrProblem> {
  if (fileKind(basename(path)) === 'other-image') {
    return `its format is not supported, as in training; convert it to JPEG or PNG (read are ${READ_FORMATS})`;
  }
  try {
    const contents = await readRegularFile(path);
    return problemOfContents(contents)?.reason ?? decodeAndResize(contents, size);
  } catch (error) {
    if (error instanceof ImageDecodeError) return error.reason;
    return problemOfReading(error instanceof Error ? error : new Error(String(error))).reason;
  }
}

import { createInterface } from 'node:readline/promises';
import { Readable } from 'node:stream';
import { ArtifactMissingError } from '../../../core/errors.ts';
import type { ArtifactStore } from '../../../platform/artifacts/artifact-store.ts';
import type { Logger } from '../../../platform/telemetry/logger.ts';

/**
 * Reads the labels of the test images by path from a manifest in the artifact store. Reads line by line, so that other calls are
 * answered in between.
 *
 * @returns null when the manifest is missing or damaged; a result can then only be compared with the numbers of images.
 */
export async function readTestLabels(
  artifacts: ArtifactStore,
  manifestUri: string,
  log: Logger,
): Promise<ReadonlyMap<string, number> | null> {
  const labels = new Map<string, number>();
  try {
    const lines = createInterface({ input: Readable.from(artifacts.readFrom(manifestUri, 0)), crlfDelay: Infinity });
    let isFirst = true;
    for await (const line of lines) {
      // The first line describes the data set.
      if (isFirst || line === '') isFirst = false;
      else readImage(line, labels);
    }
    return labels;
  } catch (error) {
    if (!(error instanceof ArtifactMissingError || error instanceof SyntaxError)) throw error;
    log.warn(
      { err: error, manifest_uri: manifestUri },
      'manifest can not be read; a test result is checked by image counts only',
    );
    return null;
  }
}

/** Reads a line `[path, split, label, sha256, bytes]`. @throws SyntaxError */
function readImage(line: string, labels: Map<string, number>): void {
  const fields: unknown = JSON.parse(line);
  if (!Array.isArray(fields)) throw new SyntaxError('A line of the manifest is not an image.');
  const [path, split, label] = fields as unknown[];
  if (typeof path !== 'string' || typeof label !== 'number') {
    throw new SyntaxError('An image of the manifest has no path or label.');
  }
  if (split === 'test') labels.set(path, label);
}

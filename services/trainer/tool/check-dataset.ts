import { DatasetInvalidError, indexDataset } from '../data/index-dataset.ts';
import type { ToolEvent, ToolRequest } from './tool-protocol.ts';

const PROGRESS_INTERVAL_MS = 200;

/** Indexes a data set as the INDEX stage does, and reports all of its problems. */
export async function checkDataset(
  request: Extract<ToolRequest, { type: 'check-dataset' }>,
  emit: (event: ToolEvent) => void,
): Promise<void> {
  let reportedAt = 0;
  try {
    const { dataset } = await indexDataset({
      source: request.source,
      cacheDir: request.cacheDir,
      onProgress: (progress) => {
        const now = performance.now();
        if (now - reportedAt < PROGRESS_INTERVAL_MS && progress.done < progress.total) return;
        reportedAt = now;
        emit({ type: 'progress', ...progress });
      },
    });
    emit({ type: 'dataset', dataset });
  } catch (error) {
    if (!(error instanceof DatasetInvalidError)) throw error;
    emit({ type: 'dataset-invalid', path: error.path, problems: error.problems });
  }
}

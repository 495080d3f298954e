import { exportModel } from '../export/export-model.ts';
import type { ToolEvent, ToolRequest } from './tool-protocol.ts';
import { openCheckpoint } from './open-checkpoint.ts';

const PROGRESS_INTERVAL_MS = 200;

/**
 * Exports a checkpoint as a model file of another program.
 *
 * @throws the errors of `openCheckpoint`, {ExportError}, and errors of the file system.
 */
export async function exportCheckpoint(
  request: Extract<ToolRequest, { type: 'export' }>,
  emit: (event: ToolEvent) => void,
): Promise<void> {
  const { classNames, format, target } = request;
  let reportedAt = 0;
  const { config, state, parts, backbone, network } = await openCheckpoint({
    ...request,
    classCount: classNames.length,
    onProgress: (progress) => {
      const now = performance.now();
      if (now - reportedAt < PROGRESS_INTERVAL_MS && progress.done < progress.total) return;
      reportedAt = now;
      emit({ type: 'progress', ...progress });
    },
  });
  const trained = new Map(network.variables.map((variable) => [variable.name, variable.values()]));
  network.dispose();
  backbone.dispose();
  const model = { config, backbone: parts, classCount: classNames.length, trained };
  const { runId, stage, epoch, baseDigest } = state;
  const files = await exportModel(model, { classNames, runId, stage, epoch, baseDigest }, { format, target });
  emit({ type: 'exported', files });
}

import type { SweepDeletion } from '../../core/records/deletion.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatBytes } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';

const MAX_FILES = 20;

/** Returns the contents of a deletion as a part of a sentence. */
export function deletionContents({
  runCount,
  checkpointCount,
  featureSetCount,
  manifestCount,
  sizeBytes,
}: SweepDeletion): string {
  const parts = [
    countOf(runCount, 'run'),
    countOf(checkpointCount, 'checkpoint'),
    countOf(featureSetCount, 'feature set'),
    ...(manifestCount === 0 ? [] : ['the manifest of its data set']),
  ];
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1) ?? ''} (${formatBytes(sizeBytes)})`;
}

/** Describes a deletion: with its largest files before it, else what was deleted. */
export function describeDeletion(deletion: SweepDeletion): string {
  const { sweepId, files, checkpointCount, featureSetCount, manifestCount, deleteTime } = deletion;
  if (deleteTime !== null) {
    return (
      `Sweep ${sweepId} was deleted with ${deletionContents(deletion)}. ` +
      'Its files are removed within seconds; MLflow keeps what was mirrored.'
    );
  }
  const shown = files.slice(0, MAX_FILES);
  const table = renderTable(
    [{ title: 'file' }, { title: 'size', align: 'right' }],
    shown.map(({ uri, sizeBytes }) => [uri, sizeBytes === 0 ? '' : formatBytes(sizeBytes)]),
  );
  const left = checkpointCount + featureSetCount + manifestCount - shown.length;
  const more = left > 0 ? `\n… and ${countOf(left, 'smaller file')}` : '';
  return `${shown.length === 0 ? '' : `${table}${more}\n\n`}Would delete sweep ${sweepId} with ${deletionContents(deletion)}.`;
}

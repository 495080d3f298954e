import type { SweepDeletion } from '../../../core/records/deletion.ts';
import type * as proto from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { numberOf } from './fields.ts';

/** Converts a deletion to the answer of DeleteSweep. */
export function deletionToProto({
  sizeBytes,
  files,
  deleteTime,
  ...deletion
}: SweepDeletion): proto.DeleteSweepResponse {
  return {
    ...deletion,
    sizeBytes: BigInt(sizeBytes),
    files: files.map((file) => ({ uri: file.uri, sizeBytes: BigInt(file.sizeBytes) })),
    deleteTime: deleteTime ?? undefined,
  };
}

export function deletionFromProto({
  sizeBytes,
  files,
  deleteTime,
  ...deletion
}: proto.DeleteSweepResponse): SweepDeletion {
  return {
    ...deletion,
    sizeBytes: numberOf(sizeBytes, 'size_bytes'),
    files: files.map((file, index) => ({
      uri: file.uri,
      sizeBytes: numberOf(file.sizeBytes, `files[${index}].size_bytes`),
    })),
    deleteTime: deleteTime ?? null,
  };
}

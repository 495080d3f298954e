import type { FrontEntryRecord } from '../../../core/records/pareto-front.ts';
import type { FrontEntry } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { runFromProto, runToProto } from './run.ts';

/** Converts a run of the Pareto front to its message. */
export function frontEntryToProto({ run, standardError, tiedRunIndexes }: FrontEntryRecord): FrontEntry {
  return { run: runToProto(run), standardError: standardError ?? undefined, tiedRunIndexes: [...tiedRunIndexes] };
}

/** @throws InvalidRequestError naming the field that is absent or unknown. */
export function frontEntryFromProto({ run, standardError, tiedRunIndexes }: FrontEntry): FrontEntryRecord {
  return { run: runFromProto(run), standardError: standardError ?? null, tiedRunIndexes };
}

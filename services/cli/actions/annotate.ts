import type { AnnotationChange } from '../../core/annotations.ts';
import type { SweepChange } from '../client/client-port.ts';
import { resolveRun, resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeRun } from '../describe/run-text.ts';
import { describeSweep } from '../describe/sweep-text.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { writeResult } from '../terminal/output.ts';
import type { RunFlags } from './show-runs.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft sweep tag` and `graft run tag`. */
export interface TagFlags {
  readonly remove?: readonly string[];
}

const NO_CHANGE: AnnotationChange = { notes: null, addTags: [], removeTags: [] };
const NO_SWEEP_CHANGE: SweepChange = { ...NO_CHANGE, displayName: null, priority: null, maxParallelSlots: null };

/** `graft sweep rename`, `note`, `tag`, `priority` and `slots`. */
export async function updateSweep(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  change: Partial<SweepChange>,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    const changed = await client.updateSweep(sweepId, { ...NO_SWEEP_CHANGE, ...change });
    writeResult(context, options, changed, () => describeSweep(changed));
  });
}

/** `graft run note` and `tag`. */
export async function annotateRun(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  change: Partial<AnnotationChange>,
  { sweep }: RunFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const changed = await client.updateRun(await resolveRun(client, handle, sweep), { ...NO_CHANGE, ...change });
    writeResult(context, options, changed, () => describeRun(changed));
  });
}

/** Returns the change of `priority N`. @throws UsageError for anything but an integer. */
export function priorityChange(priority: string): Partial<SweepChange> {
  if (/^[+-]?\d{1,9}$/.test(priority)) return { priority: Number(priority) };
  throw new UsageError(`The priority must be an integer, for example 10 or -5; received '${priority}'.`);
}

/** Returns the change of `slots N`; `all` removes the bound. @throws UsageError for anything else. */
export function slotsChange(count: string): Partial<SweepChange> {
  if (count === 'all') return { maxParallelSlots: 0 };
  if (/^[1-9]\d{0,8}$/.test(count)) return { maxParallelSlots: Number(count) };
  throw new UsageError(`The number of slots must be an integer of at least 1, or all; received '${count}'.`);
}

/** Returns the change of `tag TAG… --remove TAG…`. @throws UsageError when there is none. */
export function tagChange(tags: readonly string[], { remove = [] }: TagFlags): Partial<AnnotationChange> {
  if (tags.length + remove.length > 0) return { addTags: tags, removeTags: remove };
  throw new UsageError('No tag to add, and none to --remove.');
}

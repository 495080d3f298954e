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

/** `graft sweep rename`, `note` and `tag`. */
export async function annotateSweep(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  change: Partial<SweepChange>,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    const changed = await client.updateSweep(sweepId, { displayName: null, ...NO_CHANGE, ...change });
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

/** Returns the change of `tag TAG… --remove TAG…`. @throws UsageError when there is none. */
export function tagChange(tags: readonly string[], { remove = [] }: TagFlags): Partial<AnnotationChange> {
  if (tags.length + remove.length > 0) return { addTags: tags, removeTags: remove };
  throw new UsageError('No tag to add, and none to --remove.');
}

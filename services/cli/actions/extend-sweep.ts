import type { SweepExtension } from '../../core/sweep/extend-spec.ts';
import type { BudgetChange } from '../../core/sweep/change-budget.ts';
import { DEFAULT_TARGET_CONFIDENCE } from '../../core/sweep/search-spec.ts';
import type { Parameters, ParameterValue } from '../../core/sweep/sweep-spec.ts';
import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeSweep } from '../describe/sweep-text.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft sweep extend`. */
export interface ExtendFlags {
  readonly maxRuns?: number;
  readonly variant?: readonly string[];
  readonly epochs?: number;
  readonly fineTuneEpochs?: number;
  /** Null: no bound. */
  readonly slotSeconds?: number | null;
  readonly wallTime?: number | null;
  readonly target?: number | null;
  readonly targetConfidence?: number;
  readonly patienceRounds?: number | null;
  readonly reason: string;
}

/** `graft sweep extend`. */
export async function extendSweep(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  { maxRuns, variant = [], epochs, fineTuneEpochs, reason, ...bounds }: ExtendFlags,
): Promise<void> {
  const variants = variant.map(readVariant);
  const budget = readChange(bounds);
  if (
    variants.length === 0 &&
    [maxRuns, epochs, fineTuneEpochs].every((flag) => flag === undefined) &&
    budget === null
  ) {
    throw new UsageError('Nothing to add: give --max-runs, --variant, --epochs, --fine-tune-epochs or a budget.');
  }
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    const extension: SweepExtension = {
      maxRuns: maxRuns ?? null,
      variants,
      epochs: epochs ?? null,
      fineTuneEpochs: fineTuneEpochs ?? null,
      budget,
    };
    const sweep = await client.extendSweep(sweepId, extension, reason);
    writeResult(context, options, sweep, () => describeSweep(sweep));
  });
}

/** Returns the bounds that the flags change; null: none. @throws UsageError */
function readChange({
  slotSeconds,
  wallTime,
  target,
  targetConfidence,
  patienceRounds,
}: Pick<
  ExtendFlags,
  'slotSeconds' | 'wallTime' | 'target' | 'targetConfidence' | 'patienceRounds'
>): BudgetChange | null {
  if (targetConfidence !== undefined && typeof target !== 'number') {
    throw new UsageError('--target-confidence: needs --target with a value.');
  }
  const change: BudgetChange = {
    ...(slotSeconds !== undefined && { slotSeconds }),
    ...(wallTime !== undefined && { wallSeconds: wallTime }),
    ...(target !== undefined && {
      target: target === null ? null : { value: target, confidence: targetConfidence ?? DEFAULT_TARGET_CONFIDENCE },
    }),
    ...(patienceRounds !== undefined && { patienceRounds }),
  };
  return Object.keys(change).length === 0 ? null : change;
}

/** Reads `name=value,…`. @throws UsageError */
function readVariant(assignments: string): Parameters {
  return Object.fromEntries(
    assignments.split(',').map((assignment) => {
      const [, name = '', value = ''] = /^\s*([^=\s]+)\s*=\s*(.+?)\s*$/.exec(assignment) ?? [];
      if (name === '') throw new UsageError(`--variant: must be name=value,…; received '${assignments}'.`);
      return [name, readValue(value)];
    }),
  );
}

/** Returns a number or a truth value where the string is one. */
function readValue(text: string): ParameterValue {
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}

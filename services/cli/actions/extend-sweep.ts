import type { SweepExtension } from '../../core/sweep/extend-spec.ts';
import type { BudgetSpec } from '../../core/sweep/search-spec.ts';
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
  readonly slotSeconds?: number;
  readonly wallSeconds?: number;
  readonly reason: string;
}

/** `graft sweep extend`. */
export async function extendSweep(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  { maxRuns, variant = [], epochs, fineTuneEpochs, slotSeconds, wallSeconds, reason }: ExtendFlags,
): Promise<void> {
  const variants = variant.map(readVariant);
  const hasBudget = slotSeconds !== undefined || wallSeconds !== undefined;
  if (variants.length === 0 && [maxRuns, epochs, fineTuneEpochs].every((flag) => flag === undefined) && !hasBudget) {
    throw new UsageError('Nothing to add: give --max-runs, --variant, --epochs, --fine-tune-epochs or a budget.');
  }
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    const present = hasBudget ? (await client.getSweep(sweepId)).budget : null;
    const budget: BudgetSpec | null = hasBudget
      ? {
          slotSeconds: slotSeconds ?? present?.slotSeconds ?? null,
          wallSeconds: wallSeconds ?? present?.wallSeconds ?? null,
          target: present?.target ?? null,
        }
      : null;
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

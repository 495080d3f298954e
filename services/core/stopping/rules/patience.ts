import type { Objective } from '../../objective.ts';
import { isBetter } from '../../objective.ts';
import { significant } from '../../text/significant.ts';
import type { Guard } from '../rule.ts';
import { versionOf, withVersionOf } from '../policy.ts';
import { verdict } from '../rule.ts';
import type { RungEntry } from '../rung-table.ts';
import { compareEntries, rivalCount } from '../rung-table.ts';

/**
 * `patience`: a run is stopped if no rung of the last `epochs` epochs of its stage is better by `minDelta` than those before. It
 * knows the values at rungs only; `early_stopping` of a run's own parameters sees every epoch. It holds beside any rule.
 *
 * Version 2 does not judge the end of a stage: no epoch of it is left to save, and a head that has converged is ready for fine-tuning.
 */
export const patience: Guard = ({ rule, patience: limit, objective }, arrival) => {
  if (limit === null || (versionOf({ rule }) > 1 && arrival.table.definition.epoch === null)) return null;
  const { entry, table } = arrival;
  const entries = [...arrival.earlier, entry];
  const before = bestOf(
    objective,
    entries.filter(({ epoch }) => epoch <= entry.epoch - limit.epochs),
  );
  const since = bestOf(
    objective,
    entries.filter(({ epoch }) => epoch > entry.epoch - limit.epochs),
  );
  if (before === null || since === null) return null;
  const wanted = objective.goal === 'maximize' ? before.value + limit.minDelta : before.value - limit.minDelta;
  if (isBetter(objective, since.value, wanted)) return null;
  const reason =
    `no progress of more than ${limit.minDelta} in ${limit.epochs} epochs: ` +
    `${objective.metric} ${significant(before.value)} at epoch ${before.epoch}, at best ${significant(since.value)} since`;
  return verdict('STOP', withVersionOf('patience', rule), reason, { count: rivalCount(table) });
};

function bestOf(objective: Objective, entries: readonly RungEntry[]): RungEntry | null {
  return entries.toSorted((a, b) => compareEntries(objective, a, b))[0] ?? null;
}

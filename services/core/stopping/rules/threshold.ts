import { isBetter } from '../../objective.ts';
import { significant } from '../../text/significant.ts';
import type { Guard } from '../rule.ts';
import { verdict } from '../rule.ts';
import { rivalCount } from '../rung-table.ts';

/** `threshold@1`: a run is stopped if its value at a rung is worse than a limit, or is no number. It holds beside any rule. */
export const threshold: Guard = ({ threshold: limit, objective }, { table, entry, path }) => {
  const epochs = path.find(({ rung }) => rung === table.definition.number)?.epoch ?? entry.epoch;
  if (limit === null || epochs < limit.fromEpoch) return null;
  if (!Number.isNaN(entry.value) && !isBetter(objective, limit.worseThan, entry.value)) return null;
  const reason = `${objective.metric} ${significant(entry.value)} after ${epochs} epochs is worse than the threshold of ${limit.worseThan}`;
  return verdict('STOP', 'threshold@1', reason, { count: rivalCount(table) });
};

import { isBetter } from '../../objective.ts';
import { significant } from '../../text/significant.ts';
import type { Guard } from '../rule.ts';
import { withVersionOf } from '../policy.ts';
import { verdict } from '../rule.ts';
import { rivalCount } from '../rung-table.ts';

/** `threshold`: a run is stopped if its value at a rung is worse than a limit, or is no number. It holds beside any rule. */
export const threshold: Guard = ({ rule, threshold: limit, objective }, { table, entry, path }) => {
  const planned = path.find(({ rung }) => rung === table.definition.number)?.epoch ?? entry.epoch;
  const epochs = entry.completedEpochs ?? planned;
  if (limit === null || epochs < limit.fromEpoch) return null;
  if (!Number.isNaN(entry.value) && !isBetter(objective, limit.worseThan, entry.value)) return null;
  const reason = `${objective.metric} ${significant(entry.value)} after ${epochs} epochs is worse than the threshold of ${limit.worseThan}`;
  return verdict('STOP', withVersionOf('threshold', rule), reason, { count: rivalCount(table) });
};

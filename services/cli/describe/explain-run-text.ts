import type { DecisionRecord, RunExplanation, RungVisitRecord } from '../../core/records/explanation.ts';
import { formatMetric } from '../terminal/format.ts';
import { placeOfRung, valueOfEntry } from './rung-text.ts';

/**
 * Returns the rungs that a run reached, each with value, place and decisions, then what would let it train on; empty lines and sections
 * are omitted. Empty if the sweep compares no runs and nothing was decided.
 *
 * @param metric metric of the objective.
 */
export function describeRungs(explanation: RunExplanation, metric: string): readonly string[] {
  const { visits, otherDecisions, outlook, notes } = explanation;
  return [
    ...visits.flatMap((visit) => describeVisit(visit, metric)),
    ...otherDecisions.map(decisionLine),
    ...notes,
    ...outlook,
  ];
}

function describeVisit({ rung, entry, seenCount, decisions, comparison }: RungVisitRecord, metric: string): string[] {
  const at = rung.epoch === null ? ` (best epoch ${entry.epoch})` : '';
  const place =
    seenCount === rung.entryCount
      ? `place ${entry.place} of ${rung.entryCount}`
      : `place ${entry.place} of ${rung.entryCount} now`;
  return [
    `Rung ${rung.rung} (${placeOfRung(rung)}): ${metric} ${valueOfEntry(entry)}${at}, ${place}.`,
    ...decisions.map((decision) => `  ${decisionLine(decision)}`),
    ...(comparison === null
      ? []
      : [
          `  Against run ${comparison.runIndex} (place ${comparison.place}, ${formatMetric(comparison.value)}), on the same ` +
            `${comparison.imageCount} validation images: ${comparison.onlyRunCorrect} only this run gets right, ` +
            `${comparison.onlyOtherCorrect} only run ${comparison.runIndex}; p = ${formatP(comparison.pValue)}.`,
        ]),
  ];
}

/** Returns a decision on one line: `→ PAUSE by promotion@1, place 6, cut 3: reason`. */
function decisionLine({ kind, rule, place, cut, pValue, alpha, reason }: DecisionRecord): string {
  const facts = [
    `${kind ?? 'a decision of a later version'}${rule === '' ? '' : ` by ${rule}`}`,
    ...(place === null ? [] : [`place ${place}`]),
    ...(cut === null ? [] : [`cut ${cut}`]),
    ...(pValue === null ? [] : [`p = ${formatP(pValue)}${alpha === null ? '' : ` (bound ${formatP(alpha)})`}`]),
  ];
  return `→ ${facts.join(', ')}${reason === '' ? '' : `: ${reason}`}`;
}

function formatP(value: number): string {
  return value < 0.0005 ? '< 0.001' : value.toFixed(3);
}

import type { DecisionRecord, RunExplanation, RungVisitRecord } from '../../core/records/explanation.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatMetric } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import { decisionOfEntry, placeOfRung, valueOfEntry } from './rung-text.ts';

/**
 * Returns the rungs that a run reached, each with value, place and decisions, then what would let it train on; empty lines and sections
 * are omitted. Empty if the sweep compares no runs and nothing was decided.
 *
 * @param metric metric of the objective.
 * @param hasEnded true: the search has ended, so that nothing waits.
 */
export function describeRungs(explanation: RunExplanation, metric: string, hasEnded: boolean): readonly string[] {
  const { visits, otherDecisions, outlook, notes } = explanation;
  return [
    ...visits.flatMap((visit) => describeVisit(visit, metric, hasEnded)),
    ...otherDecisions.map(decisionLine),
    ...notes,
    ...outlook,
  ];
}

function describeVisit(visit: RungVisitRecord, metric: string, hasEnded: boolean): string[] {
  const { rung, entry, decisions, comparison } = visit;
  const at = rung.epoch === null ? ` (best epoch ${entry.epoch})` : '';
  return [
    `Rung ${rung.rung} (${placeOfRung(rung)}): ${metric} ${valueOfEntry(entry)}${at}, ${placeThere(visit)}.`,
    ...decisions.map((decision) => `  ${decisionLine(decision)}`),
    ...seenLines(visit, metric, hasEnded).map((line) => `  ${line}`),
    ...(comparison === null
      ? []
      : [
          `  Against run ${comparison.runIndex} (place ${comparison.place}, ${formatMetric(comparison.value)}), on the same ` +
            `${comparison.imageCount} validation images: ${comparison.onlyRunCorrect} only this run gets right, ` +
            `${comparison.onlyOtherCorrect} only run ${comparison.runIndex}; p = ${formatP(comparison.pValue)}.`,
        ]),
  ];
}

/** Returns the place of the run when it was decided, and now, if more runs have come since. */
export function placeThere({ entry, seen, seenCount, failedCount, rivalCount }: RungVisitRecord): string {
  const then = seen.find(({ runId }) => runId === entry.runId)?.place ?? entry.place;
  const count = seenCount + failedCount;
  const failed = failedCount === 0 ? '' : ` (${countOf(failedCount, 'failed run')} at the end)`;
  const place = `place ${then} of ${count}${failed}`;
  return count >= rivalCount ? place : `${place} when it was decided, ${entry.place} of ${rivalCount} now`;
}

/** Places that are listed at the top of a table, and on each side of the run and of the cut. */
const LISTED_TOP = 3;
const LISTED_SIDE = 2;

/** Returns the table of a rung as it was seen, with a line at the cut; nothing if the run was alone. */
function seenLines(
  { entry, seen, seenCount, failedCount, cut }: RungVisitRecord,
  metric: string,
  hasEnded: boolean,
): string[] {
  const own = seen.find(({ runId }) => runId === entry.runId)?.place ?? null;
  if (own === null || seenCount < 2) return [];
  const isNear = (place: number, other: number | null): boolean =>
    other !== null && place >= other - LISTED_SIDE && place <= other + LISTED_SIDE;
  const shown = seen.filter(({ place }) => place <= LISTED_TOP || isNear(place, own) || isNear(place, cut));
  const rows = shown.flatMap((record, index): string[][] => {
    const before = shown[index - 1]?.place ?? 0;
    const gap = record.place - before - 1;
    return [
      ...(gap === 0 ? [] : [['', '…', '', `${gap} more`]]),
      [
        String(record.place),
        String(record.runIndex),
        formatMetric(record.value),
        record.place === own ? 'this run' : decisionOfEntry(record, hasEnded),
      ],
    ];
  });
  const left = seenCount - (shown.at(-1)?.place ?? 0);
  if (left > 0) rows.push(['', '…', '', `${left} more`]);
  const lines = renderTable(
    [
      { title: 'place', align: 'right' },
      { title: 'run', align: 'right' },
      { title: metric, align: 'right' },
      { title: '' },
    ],
    rows,
  ).split('\n');
  const below = rows.findIndex(([place]) => cut !== null && Number(place) > cut);
  const after = cut === null ? null : below === -1 ? lines.length : below + 1;
  if (after === null || cut === null) return lines;
  const rule = `── cut: the best ${cut} of ${seenCount + failedCount} train on`;
  return [...lines.slice(0, after), rule, ...lines.slice(after)];
}

/** Returns a decision on one line: `→ PAUSE by promotion@1, place 6, cut 3: reason`. */
function decisionLine({ kind, rule, place, cut, pValue, alpha, reason }: DecisionRecord): string {
  // The reason of a repetition has its place among the finalists.
  if (kind === 'REPEAT') return `→ REPEAT: ${reason}`;
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

import type { Sweep } from '../client/types.ts';
import { formatDuration, formatMetric, formatTime } from '../format.ts';
import { renderFacts, renderTable } from '../table.ts';
import { GRAFT } from '../program-name.ts';

export function describeSweep(sweep: Sweep): string {
  const { spec } = sweep;
  const facts: (readonly [string, string])[] = [
    ['sweep', sweep.sweepId],
    ['name', spec.displayName],
    ['state', sweep.stateReason === '' ? sweep.state : `${sweep.state}: ${sweep.stateReason}`],
    ['runs', `${sweep.finishedRunCount} of ${sweep.runCount} ended`],
    [
      'best',
      sweep.bestRunId === null ? '–' : `${sweep.bestRunId}, ${spec.objective.metric} ${formatMetric(sweep.bestValue)}`,
    ],
    ['data', spec.dataset.path + (sweep.datasetId === null ? '' : ` (${sweep.datasetId})`)],
    ['strategy', spec.strategy],
    ['seed', String(spec.seed)],
    ['test', spec.testPolicy === 'winner' ? 'winner and baseline' : 'every run'],
    ['created', formatTime(sweep.createTime)],
    ['started', formatTime(sweep.startTime)],
    ['ended', formatTime(sweep.endTime)],
  ];
  if (sweep.startTime !== null && sweep.endTime !== null) {
    facts.push(['took', formatDuration(sweep.endTime.getTime() - sweep.startTime.getTime())]);
  }
  return renderFacts(facts);
}

export function describeSweeps(sweeps: readonly Sweep[]): string {
  if (sweeps.length === 0) return `There is no sweep yet. Submit one with \`${GRAFT} sweep submit FILE\`.`;
  return renderTable(
    [
      { title: 'sweep' },
      { title: 'name' },
      { title: 'state' },
      { title: 'runs', align: 'right' },
      { title: 'objective' },
      { title: 'best', align: 'right' },
      { title: 'created' },
    ],
    sweeps.map((sweep) => [
      sweep.sweepId,
      sweep.spec.displayName,
      sweep.state,
      `${sweep.finishedRunCount}/${sweep.runCount}`,
      sweep.spec.objective.metric,
      formatMetric(sweep.bestValue),
      formatTime(sweep.createTime),
    ]),
  );
}

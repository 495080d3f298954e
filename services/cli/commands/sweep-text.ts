import type { Sweep, SweepPlan } from '../client/types.ts';
import { formatDuration, formatMetric, formatParameters, formatTime, formatValue } from '../format.ts';
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

export function describePlan(plan: SweepPlan): string {
  const varied = [...new Set(plan.runs.flatMap(({ variedNames }) => variedNames))];
  const runs = renderTable(
    [{ title: 'run', align: 'right' }, ...varied.map((title) => ({ title }))],
    plan.runs.map((run) => [
      String(run.runIndex),
      ...varied.map((name) => (Object.hasOwn(run.parameters, name) ? formatValue(run.parameters[name]) : '')),
    ]),
  );
  const tasks = renderTable(
    [{ title: 'task', align: 'right' }, { title: 'stage' }, { title: 'after' }, { title: 'runs' }, { title: 'what' }],
    plan.tasks.map((task, index) => [
      String(index),
      task.stage ?? '',
      task.dependencies.join(', '),
      describeIndexes(task.runIndexes),
      task.description,
    ]),
  );
  const common = plan.runs[0];
  const shared = common === undefined ? [] : Object.keys(common.parameters).filter((name) => !varied.includes(name));
  return [
    `${plan.runs.length} runs${plan.duplicateCount === 0 ? '' : `, ${plan.duplicateCount} duplicates left out`}`,
    runs,
    '',
    `All runs have: ${common === undefined ? '' : formatParameters(common.parameters, shared)}`,
    '',
    `${plan.tasks.length} tasks`,
    tasks,
    '',
    `Passes over the images through a frozen base: ${plan.basePassCountShared}, against ${plan.basePassCountAlone} one by one.`,
  ].join('\n');
}

/** `0–3, 7`. */
export function describeIndexes(indexes: readonly number[]): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    parts.push(start === end ? String(sorted[start]) : `${sorted[start]}–${sorted[end]}`);
    start = end + 1;
  }
  return parts.join(', ');
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { callMetrics } from '../../../services/platform/rpc/call-metrics.ts';
import { Metrics } from '../../../services/platform/telemetry/metrics.ts';
import type { MetricFacts } from '../../../services/platform/telemetry/metrics.ts';
import { addCoordinatorMetrics } from '../../../services/coordinator/telemetry/coordinator-metrics.ts';
import { refusedReports } from '../../../services/coordinator/telemetry/refused-reports.ts';
import { TrainerMetrics } from '../../../services/trainer/telemetry/trainer-metrics.ts';
import { prometheusRule } from './support/custom-resources.ts';
import { DEPLOY } from './support/kustomize.ts';
import { readPromql } from './support/promql.ts';
import { runCommand } from '../../support/python-venv.ts';
import { buildGoProgram } from './support/go-program.ts';

const checker = await buildGoProgram({
  name: 'check-rules-0.315.0',
  module: fileURLToPath(new URL('./rules', import.meta.url)),
  package: '.',
}).then(
  (program) => ({ program }),
  (error: unknown) => ({ reason: error instanceof Error ? error.message.slice(0, 300) : String(error) }),
);
if ('reason' in checker) console.log(`The alert rules are not read by Prometheus' own package: ${checker.reason}`);

const FOLDER = join(DEPLOY, 'components', 'monitoring');
/** Labels that Prometheus adds to every series of a pod. */
const TARGET_LABELS = ['pod', 'namespace', 'job', 'instance', 'container', 'service'];
/** Labels whose values a person or the cluster chooses would create an unbounded number of series. */
const IDENTITIES = /(?:^|_)(?:id|sweep|run|task|trainer|attempt|user|path|host)(?:$|_id$|name$)/;

const facts = factsOfAllServices();
const rules = prometheusRule
  .extend({ metadata: prometheusRule.shape.metadata.partial() })
  .parse(parse(readFileSync(join(FOLDER, 'alert-rules.yaml'), 'utf8')))
  .spec.groups.flatMap((group) => group.rules);

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
}
const { panels } = JSON.parse(readFileSync(join(FOLDER, 'graft-dashboard.json'), 'utf8')) as {
  panels: readonly Panel[];
};

function factsOfAllServices(): ReadonlyMap<string, MetricFacts> {
  const coordinator = new Metrics();
  callMetrics(coordinator);
  addCoordinatorMetrics(coordinator, null);
  refusedReports(coordinator);
  const trainer = new Metrics();
  new TrainerMetrics(trainer, null);
  return new Map([...coordinator.facts(), ...trainer.facts()].map((fact) => [fact.name, fact]));
}

/** Returns the metric that a series belongs to, and its labels. */
function metricOf(series: string): { readonly fact: MetricFacts | undefined; readonly labels: readonly string[] } {
  const own = facts.get(series);
  if (own !== undefined) return { fact: own, labels: own.labels };
  const fact = facts.get(series.replace(/_(?:bucket|sum|count)$/, ''));
  if (fact?.type !== 'histogram') return { fact: undefined, labels: [] };
  return { fact, labels: series.endsWith('_bucket') ? [...fact.labels, 'le'] : fact.labels };
}

function problemsOf(expression: string): readonly string[] {
  const { metrics, labels } = readPromql(expression);
  const known = metrics.map((series) => ({ series, ...metricOf(series) }));
  const allowed = new Set([...TARGET_LABELS, ...known.flatMap((one) => one.labels)]);
  return [
    ...known.filter(({ fact }) => fact === undefined).map(({ series }) => `no such metric: ${series}`),
    ...labels.filter((label) => !allowed.has(label)).map((label) => `no such label: ${label}`),
    ...known
      .filter(({ fact, series }) => fact?.type === 'counter' && !isRated(expression, series))
      .map(({ series }) => `a counter without rate: ${series}`),
    ...(metrics.length === 0 ? ['reads nothing'] : []),
  ];
}

function isRated(expression: string, series: string): boolean {
  return new RegExp(`(?:rate|increase)\\(${series}\\b`).test(expression);
}

/** Facts promised to operators, and the metrics that report them. */
const PROMISED = {
  'queue depth': 'graft_tasks',
  'lease age': 'graft_lease_age_seconds',
  heartbeats: 'graft_trainer_heartbeats_total',
  epochs: 'graft_trainer_epochs_total',
  'images per second': 'graft_trainer_images_per_second',
  'GPU memory': 'graft_trainer_gpu_memory_used_bytes',
  'ingest lag': 'graft_trainer_metric_ingest_seconds',
  'outbox depth': 'graft_outbox_rows',
  'retries by class': 'graft_task_retries',
  'refused reports': 'graft_reports_refused_total',
};

describe('metrics', () => {
  it.each(Object.entries(PROMISED))('report %s, and the dashboard shows it', (_what, name) => {
    expect(facts.has(name)).toBe(true);
    expect(panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join(' ')).toContain(name);
  });

  it("follow Prometheus' conventions and identify no person", () => {
    const own = [...facts.values()].filter(({ name }) => /^(?:graft|grpc)_/.test(name));
    expect(own.length).toBeGreaterThan(25);
    for (const { name, type, labels } of own) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name, 'base units only').not.toMatch(/_(?:ms|milliseconds|minutes|kb|mb|mib|percent)(?:_|$)/);
      for (const label of labels) expect(label, name).not.toMatch(IDENTITIES);
    }
  });
});

/** Validates rules. A Prometheus rule file is the content of `spec`. */
async function checkRules(rules: string): Promise<string> {
  if ('reason' in checker) throw new Error(checker.reason);
  const folder = mkdtempSync(join(tmpdir(), 'graft-rules-'));
  try {
    const file = join(folder, 'rules.yaml');
    writeFileSync(file, rules);
    return await runCommand(checker.program, [file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf('reason' in checker)("Prometheus' own parser of rules", () => {
  const spec = stringify((parse(readFileSync(join(FOLDER, 'alert-rules.yaml'), 'utf8')) as { spec: unknown }).spec);

  it('accepts all rules', async () => {
    expect(await checkRules(spec)).toBe(`${rules.length}\n`);
  });

  it.each([
    ['an expression that breaks off', 'absent(graft_coordinator_leader)', 'absent(graft_coordinator_leader) +'],
    ['a template that calls what is not there', 'humanizeDuration', 'humanizeTime'],
    ['a duration that is none', 'for: 5m', 'for: 5 minutes'],
    ['a field that is none', 'annotations:', 'annotation:'],
  ])('refuses %s', async (_what, from, to) => {
    expect(spec).toContain(from);
    await expect(checkRules(spec.replace(from, to))).rejects.toThrow(/rules\.yaml/);
  });
});

describe('alert rules', () => {
  it.each(rules)('$alert reads existing series', ({ expr }) => {
    expect(problemsOf(expr)).toEqual([]);
  });

  it('are the alerts of the runbook', () => {
    const runbook = readFileSync(join(DEPLOY, 'README.md'), 'utf8');
    const sections = [...runbook.matchAll(/^### (Graft\w+)$/gm)].map(([, name]) => name);
    expect(sections.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  it('are distinguished from mistakes', () => {
    expect(problemsOf('max(graft_no_such_thing) > 0')).toEqual(['no such metric: graft_no_such_thing']);
    expect(problemsOf('max by (sweep) (graft_tasks)')).toEqual(['no such label: sweep']);
    expect(problemsOf('graft_trainer_epochs_total > 5')).toEqual([
      'a counter without rate: graft_trainer_epochs_total',
    ]);
    expect(() => problemsOf('max by (stage (graft_tasks)')).toThrow(/No PromQL/);
  });
});

describe('the dashboard', () => {
  it.each(panels)('$title reads existing series', ({ targets, description }) => {
    for (const { expr } of targets) expect(problemsOf(expr), expr).toEqual([]);
    expect(description).not.toBe('');
  });

  it('has panels that do not overlap, each once', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { gridPos, title } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        expect(taken.has(`${x} ${gridPos.y}`), title).toBe(false);
        taken.add(`${x} ${gridPos.y}`);
      }
    }
  });
});

import { ESLint } from 'eslint';
import { describe, expect, it, vi } from 'vitest';
import { circlesOf, readImportGraph } from './import-circles.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const eslint = new ESLint({ cwd: ROOT });

/** Lints `code` as if it were `file`, with the project's own rules, and returns the messages of one rule. */
async function messagesOf(rule: string, file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: file });
  return (result?.messages ?? [])
    .filter(({ ruleId, fatal }) => ruleId === rule || fatal === true)
    .map(({ message }) => message);
}

const forbiddenImports = (file: string, code: string): Promise<string[]> =>
  messagesOf('no-restricted-imports', file, code);

// Files that exist, because the type-aware rules only take files of the project.
const core = 'services/core/objective.ts';
const platform = 'services/platform/paths.ts';
const cli = 'services/cli/main.ts';
const stopping = 'services/core/stopping/advance.ts';
const rules = 'services/core/stopping/rules';
const samplers = 'services/core/samplers/sample-runs.ts';

// The first file of each kind makes ESLint read all sources: 10 s alone, more than a minute on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

describe('the import matrix of eslint.config.js', () => {
  const forbidden: readonly (readonly [string, string, string])[] = [
    ['core reads files', core, `import 'node:fs';`],
    ['core imports platform', core, `import '../platform/paths.ts';`],
    ['core imports generated code', core, `import '../../proto/gen/graft/v1/run.ts';`],
    ['platform imports the coordinator', platform, `import '../coordinator/main.ts';`],
    ['platform/paths imports grpc', platform, `import '@grpc/grpc-js';`],
    ['the trainer imports the database', 'services/trainer/main.ts', `import '../platform/db/pool.ts';`],
    [
      'the trainer imports generated code outside lease/',
      'services/trainer/main.ts',
      `import '../../proto/gen/graft/v1/task.ts';`,
    ],
    ['TensorFlow outside trainer/engine', 'services/trainer/main.ts', `import '@tensorflow/tfjs-node-gpu';`],
    ['the coordinator imports the trainer', 'services/coordinator/main.ts', `import '../trainer/main.ts';`],
    ['Prisma outside the store', 'services/coordinator/main.ts', `import '../../prisma/client/client.ts';`],
    ['the AWS client outside platform/artifacts', 'services/coordinator/main.ts', `import '@aws-sdk/client-s3';`],
    ['OpenTelemetry outside platform/telemetry', 'services/coordinator/main.ts', `import '@opentelemetry/api';`],
    ['pg outside the store', 'services/coordinator/main.ts', `import 'pg';`],
    ['the cli imports the coordinator', cli, `import '../coordinator/main.ts';`],
    ['the cli imports generated code outside client/', cli, `import '../../proto/gen/graft/v1/sweep_service.ts';`],
    ['stopping imports test results', stopping, `import type {} from '../records/test-result.ts';`],
    ['a rule imports test results', `${rules}/asha.ts`, `import type {} from '../../records/leaderboard.ts';`],
    ['stopping imports test statistics', stopping, `import '../statistics/test-statistics.ts';`],
    ['stopping imports a measurement of the test', stopping, `import type { TestMeasurement } from '../task.ts';`],
    ['samplers import test results', samplers, `import type {} from '../records/test-result.ts';`],
    ['stopping reads files', stopping, `import 'node:fs';`],
  ];

  it.each(forbidden)('refuses: %s', async (_name, file, code) => {
    expect(await forbiddenImports(file, code)).toHaveLength(1);
  });

  const allowed: readonly (readonly [string, string, string])[] = [
    ['core imports core', core, `import './dataset.ts';`],
    ['stopping imports another type of tasks', stopping, `import type { Stage } from '../task.ts';`],
    ['core/digest hashes', 'services/core/digest.ts', `import 'node:crypto';`],
    ['platform imports core', platform, `import '../core/objective.ts';`],
    ['the coordinator imports platform', 'services/coordinator/main.ts', `import '../platform/paths.ts';`],
    ['the cli imports platform', cli, `import '../platform/paths.ts';`],
  ];

  it.each(allowed)('allows: %s', async (_name, file, code) => {
    expect(await forbiddenImports(file, code)).toEqual([]);
  });
});

describe('the floors of eslint.config.js', () => {
  const store = 'services/coordinator/store';
  const refused: readonly (readonly [string, string, string])[] = [
    ['tasks/ imports leases/, above it', `${store}/tasks/require-memory.ts`, `import '../leases/pin-sources.ts';`],
    ['a type from above', `${store}/runs/end-runs.ts`, `import type {} from '../settle/finish-sweep.ts';`],
    ['a folder of the same floor', `${store}/runs/end-runs.ts`, `import '../tasks/require-memory.ts';`],
    ['the ground imports a folder', `${store}/page.ts`, `import './tokens/create-token.ts';`],
    ['core: sweep/ imports reports/', 'services/core/sweep/sweep-spec.ts', `import '../reports/check-index.ts';`],
    ['cli: terminal/ imports commands/', 'services/cli/terminal/table.ts', `import '../commands/sweep.ts';`],
  ];

  it.each(refused)('refuse: %s', async (_name, file, code) => {
    expect(await messagesOf('import-x/no-restricted-paths', file, code)).toEqual([
      expect.stringContaining('floors below only'),
    ]);
  });

  it.each([
    ['a folder below', `${store}/settle/finish-sweep.ts`, `import '../runs/end-runs.ts';`],
    ['its own folder', `${store}/runs/end-runs.ts`, `import './run-row.ts';`],
    ['another file of the ground', `${store}/latest-first.ts`, `import './signals.ts';`],
    ['another service', `${store}/runs/end-runs.ts`, `import '../../../core/retry.ts';`],
  ])('allow: %s', async (_name, file, code) => {
    expect(await messagesOf('import-x/no-restricted-paths', file, code)).toEqual([]);
  });
});

describe('circles of files', () => {
  it('are none in services/, types included', () => {
    const graph = readImportGraph(ROOT, 'services');
    expect(graph.size).toBeGreaterThan(500);
    expect(circlesOf(graph)).toEqual([]);
  });

  it('are found by the script, by a type as well', () => {
    const graph = readImportGraph(ROOT, 'services');
    const ground = 'services/core/task.ts';
    const above = 'services/core/retry.ts';
    expect(graph.get(above)).toContain(ground);
    expect(circlesOf(new Map([...graph, [ground, [above]]])).flat()).toEqual(expect.arrayContaining([above, ground]));
  });

  it('are found by ESLint', async () => {
    const code = `export { decideRetry } from './retry.ts';`;
    expect(await messagesOf('import-x/no-cycle', 'services/core/machine-fault.ts', code)).toEqual([
      'Dependency cycle detected',
    ]);
  });
});

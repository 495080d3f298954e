import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';

const eslint = new ESLint({ cwd: new URL('../..', import.meta.url).pathname });

/** Lints `code` as if it were `file`, with the project's own rules, and gives the messages of the import rule. */
async function forbiddenImports(file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: file });
  return (result?.messages ?? [])
    .filter(({ ruleId, fatal }) => ruleId === 'no-restricted-imports' || fatal === true)
    .map(({ message }) => message);
}

// Files that exist, because the type-aware rules only take files of the project.
const core = 'services/core/objective.ts';
const platform = 'services/platform/paths.ts';
const cli = 'services/cli/main.ts';

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
  ];

  it.each(forbidden)('refuses: %s', async (_name, file, code) => {
    expect(await forbiddenImports(file, code)).toHaveLength(1);
  });

  const allowed: readonly (readonly [string, string, string])[] = [
    ['core imports core', core, `import './dataset.ts';`],
    ['core/digest hashes', 'services/core/digest.ts', `import 'node:crypto';`],
    ['platform imports core', platform, `import '../core/objective.ts';`],
    ['the coordinator imports platform', 'services/coordinator/main.ts', `import '../platform/paths.ts';`],
    ['the cli imports platform', cli, `import '../platform/paths.ts';`],
  ];

  it.each(allowed)('allows: %s', async (_name, file, code) => {
    expect(await forbiddenImports(file, code)).toEqual([]);
  });
});

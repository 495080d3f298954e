import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pythonVenv, runCommand } from '../../../support/python-venv.ts';
import type { PythonVenv } from '../../../support/python-venv.ts';
import { checkCustomResource } from './custom-resources.ts';
import type { Rendering } from './kustomize.ts';

/** The oldest version that the manifests support (`preStop.sleep`), and the latest one with available schemas. */
const KUBERNETES_VERSIONS = ['1.32', '1.37'] as const;

/**
 * Installs the package that ships the OpenAPI schemas of every Kubernetes version as JSON schemas, and validates with
 * them.
 */
export function schemaVenv(): Promise<PythonVenv> {
  return pythonVenv({
    name: 'kubernetes-validate-venv',
    packages: ['kubernetes-validate==1.37.0'],
    skipVariable: 'GRAFT_SKIP_KUBERNETES',
  });
}

/** Returns all mistakes of rendered manifests; unknown fields of a kind are mistakes. */
export async function validate(python: string, rendering: Rendering): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-manifests-'));
  try {
    const file = join(folder, 'rendered.yaml');
    await writeFile(file, rendering.text);
    const versions = KUBERNETES_VERSIONS.flatMap((version) => ['-k', version]);
    const output = await runCommand(python, [
      '-m',
      'kubernetes_validate',
      '--strict',
      '--quiet',
      '--no-warn',
      ...versions,
      file,
    ])
      .then(() => '')
      .catch((error: unknown) => String(error));
    const custom = rendering.manifests.filter(({ apiVersion }) =>
      /^(?:keda\.sh|monitoring\.coreos\.com)\//.test(apiVersion),
    );
    return [...(output === '' ? [] : [output]), ...custom.flatMap(checkCustomResource)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

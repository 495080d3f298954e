import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { runCommand } from '../../../support/python-venv.ts';
import { buildGoProgram } from './go-program.ts';
import type { Manifest } from './manifests.ts';

export const DEPLOY = fileURLToPath(new URL('../../../../deploy', import.meta.url));

/** The Go module that pins the version, with the digests of all dependencies. */
const MODULE = fileURLToPath(new URL('../../../kube/modules/kustomize', import.meta.url));
const VERSION = '5.8.1';

export type Kustomize =
  | { readonly command: readonly [string, ...string[]] }
  /** Reason why it is unavailable on this machine. */
  | { readonly reason: string };

/**
 * Finds kustomize 5: in kubectl or on the path, else builds it once from its Go module into the cache folder (a
 * minute). Never throws: without any of them it returns a reason, and the tests skip.
 */
export async function findKustomize(): Promise<Kustomize> {
  const installed: readonly (readonly [string, ...string[]])[] = [
    ['kubectl', 'kustomize'],
    ['kustomize', 'build'],
  ];
  for (const command of installed) {
    const version = command[0] === 'kubectl' ? ['version', '--client'] : ['version'];
    const answer = await runCommand(command[0], version).catch(() => '');
    if (/v5\.\d+\.\d+/.test(answer)) return { command };
  }
  try {
    const program = await buildGoProgram({
      name: `kustomize-${VERSION}`,
      module: MODULE,
      package: 'sigs.k8s.io/kustomize/kustomize/v5',
    });
    return { command: [program, 'build'] };
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 300) : String(error);
    return { reason: `neither kubectl nor kustomize is on the path, and building it with Go failed: ${why}` };
  }
}

export interface Rendering {
  readonly text: string;
  readonly manifests: readonly Manifest[];
}

/** Renders a folder with a kustomization, for example `overlays/dev`. Throws {Error} with kustomize's output. */
export async function render(kustomize: Kustomize, folder: string): Promise<Rendering> {
  if ('reason' in kustomize) throw new Error(kustomize.reason);
  const [program, ...args] = kustomize.command;
  const text = await runCommand(program, [...args, folder]);
  return { text, manifests: parseAllDocuments(text).map((document) => document.toJS() as Manifest) };
}

/**
 * Renders the base with TLS and one component on top, whether an overlay uses it or not. Coordinators would not start
 * without TLS.
 */
export async function renderComponent(kustomize: Kustomize, component: string): Promise<Rendering> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-overlay-'));
  try {
    const to = (name: string): string => relative(folder, join(DEPLOY, name));
    const components = [...new Set(['tls', component])].map((name) => to(`components/${name}`));
    await writeFile(
      join(folder, 'kustomization.yaml'),
      `namespace: graft\nresources: [${to('base')}]\ncomponents: [${components.join(', ')}]\n`,
    );
    return await render(kustomize, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

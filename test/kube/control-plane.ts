import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Output of a command on both streams, and its exit code. */
export interface Answer {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** A real control plane (etcd, API server, controllers, scheduler) with simulated nodes; no container runs on them. */
export interface ControlPlane extends AsyncDisposable {
  /** Runs kubectl against it. */
  kubectl(args: readonly string[], input?: string): Promise<Answer>;
  /** Sends a request to the API server. */
  post(path: string, body: unknown): Promise<Answer>;
}

/** Kinds of operators that are not here; their own checks are in test/contract/deploy. */
const CUSTOM_KINDS = [
  { group: 'keda.sh', version: 'v1alpha1', kind: 'ScaledObject', plural: 'scaledobjects' },
  { group: 'keda.sh', version: 'v1alpha1', kind: 'TriggerAuthentication', plural: 'triggerauthentications' },
  { group: 'monitoring.coreos.com', version: 'v1', kind: 'ServiceMonitor', plural: 'servicemonitors' },
  { group: 'monitoring.coreos.com', version: 'v1', kind: 'PrometheusRule', plural: 'prometheusrules' },
];

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * Builds it on first use and starts it.
 *
 * @param env settings of `up.sh`, for example the number of nodes.
 * @throws {Error} with the end of the output of `up.sh`.
 */
export async function startControlPlane(env: Readonly<Record<string, string>>): Promise<ControlPlane> {
  const up = await run('bash', [script('up.sh')], { ...process.env, ...env });
  const kubeconfig = /KUBECONFIG=(\S+)\s*$/.exec(up.out)?.[1];
  if (up.code !== 0 || kubeconfig === undefined)
    throw new Error(`up.sh ended with ${up.code}: ${up.error.slice(-2_000)}`);
  const kubectlPath = kubeconfig.replace(/\/run\/[^/]+$/, '/bin/kubectl');
  const kubectl = (args: readonly string[], input?: string): Promise<Answer> =>
    run(kubectlPath, args, { ...process.env, KUBECONFIG: kubeconfig }, input);
  return {
    kubectl,
    post: (path, body) => kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(body)),
    [Symbol.asyncDispose]: async () => {
      await run('bash', [script('down.sh')], process.env);
    },
  };
}

/** Defines the operators' kinds, so that the API server accepts their objects. */
export async function defineCustomKinds(cluster: ControlPlane): Promise<void> {
  await must(cluster.kubectl(['apply', '-f', '-'], CUSTOM_KINDS.map(definitionOf).join('---\n')));
  await must(cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']));
}

/** Returns the result of kubectl. Throws {Error} with its output when it fails. */
export async function must(answer: Promise<Answer>): Promise<Answer> {
  const { code, error, ...rest } = await answer;
  if (code !== 0) throw new Error(`kubectl ended with ${code}: ${error}`);
  return { code, error, ...rest };
}

function definitionOf({ group, version, kind, plural }: (typeof CUSTOM_KINDS)[number]): string {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return `${JSON.stringify({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  })}\n`;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, input = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let error = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text));
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, out, error }));
  });
}

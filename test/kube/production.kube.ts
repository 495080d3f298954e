import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEPLOY, findKustomize, render } from '../contract/deploy/support/kustomize.ts';
import type { Rendering } from '../contract/deploy/support/kustomize.ts';
import type { Manifest } from '../contract/deploy/support/manifests.ts';
import { defineCustomKinds, must, startControlPlane } from './control-plane.ts';
import type { Answer, ControlPlane } from './control-plane.ts';

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly phase: string };
}

let cluster: ControlPlane;
let production: Rendering;

beforeAll(async () => {
  // One GPU a node, tainted as GPU nodes are; coordinators need two nodes without.
  cluster = await startControlPlane({ GPU_NODES: '2', GPUS: '1', GPU_TAINT: '1', CPU_NODES: '2' });
  await defineCustomKinds(cluster);
  production = await render(await findKustomize(), join(DEPLOY, 'overlays', 'production'));
});

afterAll(() => cluster[Symbol.asyncDispose]());

describe('the production overlay on a control plane', () => {
  it('is taken by the API server without a warning', async () => {
    // A dry run stores nothing, so the namespace that the rest lies in has to be there.
    await must(cluster.kubectl(['create', 'namespace', 'graft']));
    const dry = await cluster.kubectl(['apply', '--server-side', '--dry-run=server', '-f', '-'], production.text);
    expect(dry).toMatchObject({ code: 0, error: '' });
    const applied = await cluster.kubectl(['apply', '--server-side', '-f', '-'], production.text);
    expect(applied).toMatchObject({ code: 0, error: '' });
    expect(applied.out.trim().split('\n')).toHaveLength(production.manifests.length);
  });

  it('completes the Job that migrates, and rolls out coordinators on two nodes', async () => {
    await must(graft(['wait', '--for=condition=complete', 'job/graft-migrate', '--timeout=60s']));
    await must(graft(['rollout', 'status', 'deployment/graft-coordinator', '--timeout=60s']));
    const nodes = (await pods('graft-coordinator')).map(({ spec }) => spec.nodeName);
    expect(nodes.toSorted()).toEqual(['cpu-0', 'cpu-1']);
  });

  it('places trainers on nodes with a free GPU only', async () => {
    // One after the other, because of pods that come at once any two may be placed.
    await must(graft(['scale', 'statefulset/graft-trainer', '--replicas=2']));
    await must(graft(['rollout', 'status', 'statefulset/graft-trainer', '--timeout=60s']));
    await must(graft(['scale', 'statefulset/graft-trainer', '--replicas=3']));
    await must(graft(['wait', '--for=create', 'pod/graft-trainer-2', '--timeout=60s']));
    await must(graft(['wait', '--for=condition=PodScheduled=False', 'pod/graft-trainer-2', '--timeout=60s']));
    const placed = Object.fromEntries(
      (await pods('graft-trainer')).map(({ metadata, spec }) => [metadata.name, spec.nodeName]),
    );
    expect(new Set([placed['graft-trainer-0'], placed['graft-trainer-1']])).toEqual(new Set(['gpu-0', 'gpu-1']));
    expect(placed['graft-trainer-2']).toBeUndefined();
  });

  it('gives back one trainer at a time', async () => {
    await must(graft(['scale', 'statefulset/graft-trainer', '--replicas=2']));
    await must(graft(['wait', '--for=delete', 'pod/graft-trainer-2', '--timeout=60s']));
    await must(graft(['wait', '--for=jsonpath={.status.disruptionsAllowed}=1', 'pdb/graft-trainer', '--timeout=60s']));
    // Nowhere to go for the one that is evicted, so it stays missing.
    for (const node of ['gpu-0', 'gpu-1']) await must(cluster.kubectl(['cordon', node]));
    expect(await evict('graft-trainer-0')).toMatchObject({ code: 0 });
    const second = await evict('graft-trainer-1');
    expect(second.code).not.toBe(0);
    expect(second.error).toMatch(/disruption budget/);
    for (const node of ['gpu-0', 'gpu-1']) await must(cluster.kubectl(['uncordon', node]));
    await must(graft(['wait', '--for=condition=ready', 'pod/graft-trainer-0', '--timeout=60s']));
  });

  it('refuses a pod that is not restricted', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'root' },
      spec: { containers: [{ name: 'root', image: 'root' }] },
    };
    const answer = await graft(['create', '-f', '-'], JSON.stringify(pod));
    expect(answer.error).toMatch(/violates PodSecurity "restricted/);
  });

  it('stays whole when another overlay is deleted', async () => {
    const dev = await render(await findKustomize(), join(DEPLOY, 'overlays', 'dev'));
    await must(cluster.kubectl(['create', 'namespace', 'graft-dev']));
    await must(cluster.kubectl(['apply', '--server-side', '-f', '-'], dev.text));
    await must(cluster.kubectl(['delete', '--wait=false', '-f', '-'], dev.text));
    await must(cluster.kubectl(['wait', '--for=delete', 'priorityclass/graft-dev-trainer', '--timeout=60s']));
    await must(cluster.kubectl(['get', 'priorityclass', 'graft-coordinator', 'graft-trainer']));
    // A pod made from now on needs its class: without it the StatefulSet could make no pod at all.
    await must(graft(['delete', 'pod', 'graft-trainer-1']));
    await must(graft(['wait', '--for=create', 'pod/graft-trainer-1', '--timeout=60s']));
  });

  it('has nothing to change when it is applied again', async () => {
    // The Job goes by itself, and the number of trainers is the autoscaler's; everything else must be as it was.
    const again = production.manifests.filter(({ kind }) => kind !== 'Job');
    const versions = await resourceVersions(again);
    await must(
      cluster.kubectl(['apply', '--server-side', '-f', '-'], again.map((one) => JSON.stringify(one)).join('\n')),
    );
    expect(await resourceVersions(again)).toEqual(versions);
  });
});

function graft(args: readonly string[], input?: string): Promise<Answer> {
  return cluster.kubectl(['-n', 'graft', ...args], input);
}

async function pods(name: string): Promise<readonly Pod[]> {
  const { out } = await must(graft(['get', 'pods', '-l', `app.kubernetes.io/name=${name}`, '-o', 'json']));
  return (JSON.parse(out) as { items: readonly Pod[] }).items;
}

function evict(pod: string): Promise<Answer> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: 'graft' } };
  return cluster.post(`/api/v1/namespaces/graft/pods/${pod}/eviction`, eviction);
}

async function resourceVersions(manifests: readonly Manifest[]): Promise<readonly string[]> {
  // Status moves by itself, so what counts is the generation where there is one.
  const path = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{"\\n"}{end}';
  const { out } = await must(
    cluster.kubectl(
      ['get', '-f', '-', '-o', `jsonpath=${path}`],
      manifests.map((one) => JSON.stringify(one)).join('\n'),
    ),
  );
  return out.trim().split('\n');
}

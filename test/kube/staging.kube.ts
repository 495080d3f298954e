import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEPLOY, findKustomize, render } from '../contract/deploy/support/kustomize.ts';
import { defineCustomKinds, must, startControlPlane } from './control-plane.ts';
import type { Answer, ControlPlane } from './control-plane.ts';

let cluster: ControlPlane;

beforeAll(async () => {
  // One GPU that the device plugin offers twice, on a node labelled and tainted as NVIDIA's tools do it.
  cluster = await startControlPlane({
    GPU_NODES: '1',
    GPUS: '2',
    GPU_TAINT: '1',
    GPU_SHARING: 'time-slicing',
    CPU_NODES: '1',
  });
  await defineCustomKinds(cluster);
  const staging = await render(await findKustomize(), join(DEPLOY, 'overlays', 'staging'));
  await must(cluster.kubectl(['create', 'namespace', 'graft-staging']));
  await must(cluster.kubectl(['apply', '--server-side', '-f', '-'], staging.text));
});

afterAll(() => cluster[Symbol.asyncDispose]());

describe('the staging overlay on a control plane', () => {
  it('places both trainers on the node that shares its GPU', async () => {
    await must(staging(['rollout', 'status', 'statefulset/graft-trainer', '--timeout=60s']));
    const { out } = await must(
      staging([
        'get',
        'pods',
        '-l',
        'app.kubernetes.io/name=graft-trainer',
        '-o',
        'jsonpath={.items[*].spec.nodeName}',
      ]),
    );
    expect(out.split(' ')).toEqual(['gpu-0', 'gpu-0']);
  });

  it('leaves a trainer pending, with the reason, where no node shares its GPUs', async () => {
    await must(cluster.kubectl(['label', 'node', 'gpu-0', '--overwrite', 'nvidia.com/gpu.sharing-strategy=none']));
    await must(staging(['delete', 'pod', 'graft-trainer-1']));
    await must(staging(['wait', '--for=create', 'pod/graft-trainer-1', '--timeout=60s']));
    await must(staging(['wait', '--for=condition=PodScheduled=False', 'pod/graft-trainer-1', '--timeout=60s']));
    const path = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}';
    const { out } = await must(staging(['get', 'pod', 'graft-trainer-1', '-o', path]));
    expect(out).toContain("2 node(s) didn't match Pod's node affinity/selector");
  });
});

function staging(args: readonly string[]): Promise<Answer> {
  return cluster.kubectl(['-n', 'graft-staging', ...args]);
}

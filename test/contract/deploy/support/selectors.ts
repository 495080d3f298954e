import { expect } from 'vitest';
import { find, selects, workloadsOf } from './manifests.ts';
import type { Labels, Manifest } from './manifests.ts';

interface WithSelectors {
  readonly selector?: Labels & { readonly matchLabels?: Labels };
  readonly podSelector?: Parameters<typeof selects>[0];
  readonly ports?: readonly { readonly name: string; readonly targetPort: string }[];
  readonly endpoints?: readonly { readonly port: string }[];
  readonly serviceName?: string;
  readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
}

/**
 * Asserts that every selector, Service reference and scale target matches its intended object, and that every pod is
 * denied by default.
 */
export function checkSelectors(manifests: readonly Manifest[]): void {
  const pods = workloadsOf(manifests);
  for (const { kind, metadata, ...manifest } of manifests) {
    const spec = (manifest.spec ?? {}) as WithSelectors;
    const where = `${kind} ${metadata.name}`;
    if (kind === 'Service') {
      const found = pods.filter(({ labels }) => selects({ matchLabels: spec.selector ?? {} }, labels));
      expect(found, where).toHaveLength(1);
      const names = found[0]!.pod.containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name));
      for (const { targetPort } of spec.ports ?? []) expect(names, where).toContain(targetPort);
    } else if (['Deployment', 'StatefulSet', 'PodDisruptionBudget'].includes(kind)) {
      expect(
        pods.filter(({ labels }) => selects(spec.selector ?? {}, labels)).map(({ name }) => name),
        where,
      ).toEqual([metadata.name]);
      if (spec.serviceName !== undefined) find(manifests, 'Service', spec.serviceName);
    } else if (kind === 'NetworkPolicy') {
      expect(pods.filter(({ labels }) => selects(spec.podSelector ?? {}, labels)).length, where).toBeGreaterThan(0);
    } else if (kind === 'ServiceMonitor') {
      const services = manifests.filter(
        (one) => one.kind === 'Service' && selects(spec.selector ?? {}, one.metadata.labels ?? {}),
      );
      expect(services, where).toHaveLength(1);
      const ports = (services[0]!.spec as WithSelectors).ports?.map(({ name }) => name);
      for (const { port } of spec.endpoints ?? []) expect(ports, where).toContain(port);
    } else if (spec.scaleTargetRef !== undefined) {
      find(manifests, spec.scaleTargetRef.kind, spec.scaleTargetRef.name);
    }
  }
  // Every pod is subject to the policy that denies whatever no other one allows.
  const deny = find(manifests, 'NetworkPolicy', 'graft-default-deny').spec as WithSelectors;
  expect(pods.filter(({ labels }) => !selects(deny.podSelector ?? {}, labels))).toEqual([]);
}

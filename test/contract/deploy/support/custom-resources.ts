import { z } from 'zod';
import type { Manifest } from './manifests.ts';

/**
 * The kinds of KEDA and the Prometheus operator, limited to the fields in use. Their schemas are not part of
 * Kubernetes, and a misspelt field must still be detected.
 */
const labels = z.record(z.string(), z.string());
const metadata = z.strictObject({ name: z.string(), namespace: z.string(), labels });
const duration = z.string().regex(/^\d+[smh]$/);

const rule = z.strictObject({
  alert: z.string().regex(/^Graft[A-Za-z]+$/),
  expr: z.string().min(1),
  for: duration,
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({ summary: z.string().min(1) }),
});

export const prometheusRule = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('PrometheusRule'),
  metadata,
  spec: z.strictObject({ groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule).min(1) })) }),
});

const serviceMonitor = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('ServiceMonitor'),
  metadata,
  spec: z.strictObject({
    selector: z.strictObject({ matchLabels: labels }),
    endpoints: z.array(
      z.strictObject({ port: z.string(), path: z.string(), interval: duration, scrapeTimeout: duration }),
    ),
  }),
});

export const scaledObject = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('ScaledObject'),
  metadata,
  spec: z.strictObject({
    scaleTargetRef: z.strictObject({ apiVersion: z.string(), kind: z.string(), name: z.string() }),
    minReplicaCount: z.int().min(0),
    maxReplicaCount: z.int().min(1),
    pollingInterval: z.int(),
    cooldownPeriod: z.int(),
    advanced: z.strictObject({
      horizontalPodAutoscalerConfig: z.strictObject({
        behavior: z.strictObject({
          scaleDown: z.strictObject({
            stabilizationWindowSeconds: z.int().max(3600),
            policies: z.array(
              z.strictObject({ type: z.enum(['Pods', 'Percent']), value: z.int(), periodSeconds: z.int().max(1800) }),
            ),
          }),
        }),
      }),
    }),
    triggers: z.array(
      z.strictObject({
        type: z.literal('postgresql'),
        metadata: z.strictObject({ query: z.string(), targetQueryValue: z.string() }),
        authenticationRef: z.strictObject({ name: z.string() }),
      }),
    ),
  }),
});

const triggerAuthentication = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('TriggerAuthentication'),
  metadata,
  spec: z.strictObject({
    secretTargetRef: z.array(z.strictObject({ parameter: z.string(), name: z.string(), key: z.string() })),
  }),
});

const known: Readonly<Record<string, z.ZodType>> = {
  PrometheusRule: prometheusRule,
  ServiceMonitor: serviceMonitor,
  ScaledObject: scaledObject,
  TriggerAuthentication: triggerAuthentication,
};

/** Returns the mistakes in a custom resource; an unknown kind is one. */
export function checkCustomResource(manifest: Manifest): readonly string[] {
  const schema = known[manifest.kind];
  const name = `${manifest.kind} ${manifest.metadata.name}`;
  if (schema === undefined) return [`${name}: no schema for this kind`];
  const { error } = schema.safeParse(manifest);
  return (error?.issues ?? []).map(({ path, message }) => `${name}: ${path.join('.')}: ${message}`);
}

/** The fields of Kubernetes' objects that the tests read; whole objects are validated with Kubernetes' own schemas. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

export type Labels = Readonly<Record<string, string>>;

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly fieldRef?: { readonly fieldPath: string };
    readonly resourceFieldRef?: { readonly resource: string };
  };
}

export interface Probe {
  readonly grpc?: { readonly port: number };
  readonly httpGet?: { readonly path: string; readonly port: string | number };
  readonly exec?: { readonly command: readonly string[] };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env?: readonly EnvironmentVariable[];
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string | number>>;
    readonly limits?: Readonly<Record<string, string | number>>;
  };
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly privileged?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

/** A volume with the files of a secret. */
export interface SecretVolume {
  readonly secretName: string;
  readonly items: readonly { readonly key: string; readonly path: string }[];
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly ({ readonly name: string } & Readonly<Record<string, unknown>>)[];
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly runAsGroup?: number;
    readonly fsGroup?: number;
    readonly seccompProfile?: { readonly type: string };
    readonly sysctls?: readonly unknown[];
  };
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly priorityClassName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly tolerations?: readonly { readonly key: string }[];
  readonly nodeSelector?: Labels;
  readonly affinity?: { readonly podAntiAffinity?: Readonly<Record<string, readonly unknown[]>> };
  readonly topologySpreadConstraints?: readonly { readonly topologyKey: string }[];
}

/** A pod template of a Deployment, StatefulSet or Job, with its context. */
export interface Workload {
  readonly name: string;
  readonly manifest: Manifest;
  readonly labels: Labels;
  readonly pod: PodSpec;
  readonly containers: readonly Container[];
  /** Names of the pod's volumes, including claims of a StatefulSet. */
  readonly volumeNames: ReadonlySet<string>;
}

interface WorkloadSpec {
  readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  readonly volumeClaimTemplates?: readonly Manifest[];
}

export function workloadsOf(manifests: readonly Manifest[]): readonly Workload[] {
  return manifests
    .filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind))
    .map((manifest) => {
      const { template, volumeClaimTemplates = [] } = manifest.spec as WorkloadSpec;
      const pod = template.spec;
      return {
        name: manifest.metadata.name,
        manifest,
        labels: template.metadata.labels,
        pod,
        containers: [...(pod.initContainers ?? []), ...pod.containers],
        volumeNames: new Set([
          ...(pod.volumes ?? []).map(({ name }) => name),
          ...volumeClaimTemplates.map(({ metadata }) => metadata.name),
        ]),
      };
    });
}

/** Finds a manifest. Throws {Error} when it is missing. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found === undefined) throw new Error(`There is no ${kind} ${name}.`);
  return found;
}

export function workload(manifests: readonly Manifest[], name: string): Workload {
  const found = workloadsOf(manifests).find((one) => one.name === name);
  if (found === undefined) throw new Error(`There is no workload ${name}.`);
  return found;
}

/** Returns whether a container runs one of Graft's images (`graft/trainer-cpu` is a trainer). */
export function isOwnImage(container: Container): boolean {
  return serviceOf(container) !== null;
}

/** Returns the service whose image a container runs (`graft/trainer-cpu` is a trainer); null: another image. */
export function serviceOf(container: Container): 'coordinator' | 'trainer' | 'migrate' | null {
  const service = /(?:^|\/)graft\/(coordinator|trainer|migrate)(?:-cpu)?(?:[:@]|$)/.exec(container.image)?.[1];
  return (service as 'coordinator' | 'trainer' | 'migrate' | undefined) ?? null;
}

/** Returns the environment of a container, with placeholders for values that only the cluster knows. */
export function environmentOf(manifests: readonly Manifest[], container: Container): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const { configMapRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) Object.assign(environment, find(manifests, 'ConfigMap', configMapRef.name).data);
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    environment[name] = value ?? standIn(container, valueFrom);
  }
  return environment;
}

function standIn(container: Container, source: EnvironmentVariable['valueFrom']): string {
  if (source?.secretKeyRef !== undefined) return 'postgresql://graft:secret@database:5432/graft';
  if (source?.fieldRef !== undefined) return 'graft-trainer-0';
  const [kind = '', name = ''] = source?.resourceFieldRef?.resource.split('.') ?? [];
  const resources = kind === 'limits' ? container.resources?.limits : container.resources?.requests;
  return String(resources?.[name] ?? '');
}

/** Returns whether a label selector matches these labels. */
export function selects(
  selector: {
    readonly matchLabels?: Labels;
    readonly matchExpressions?: readonly {
      readonly key: string;
      readonly operator: string;
      readonly values: readonly string[];
    }[];
  },
  labels: Labels,
): boolean {
  const isEqual = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    isEqual &&
    (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
      if (operator !== 'In') throw new Error(`Operator ${operator} is not known to the tests.`);
      return values.includes(labels[key] ?? '');
    })
  );
}

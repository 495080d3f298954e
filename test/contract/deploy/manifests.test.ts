import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  COORDINATOR_SETTINGS,
  coordinatorGraceMs,
  readCoordinatorConfig,
} from '../../../services/coordinator/config.ts';
import { splitListenAddress } from '../../../services/platform/config/listen-address.ts';
import { DATABASE_SETTINGS } from '../../../services/platform/config/shared-settings.ts';
import { readTrainerConfig, TRAINER_SETTINGS, trainerGraceMs } from '../../../services/trainer/config.ts';
import { DEPLOY, findKustomize, render, renderComponent } from './support/kustomize.ts';
import type { Rendering } from './support/kustomize.ts';
import { environmentOf, find, isOwnImage, serviceOf, workload, workloadsOf } from './support/manifests.ts';
import type { Container, Manifest, PodSpec, Probe, SecretVolume } from './support/manifests.ts';
import { checkSelectors } from './support/selectors.ts';
import { schemaVenv, validate } from './support/validate.ts';

const OVERLAYS = readdirSync(join(DEPLOY, 'overlays'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const COMPONENTS = readdirSync(join(DEPLOY, 'components'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
/**
 * Variables read by Node, by TensorFlow in the workers, which get the trainer's environment, and by the libraries of
 * AWS and OpenTelemetry.
 */
const FOREIGN_SETTINGS = [
  'NODE_EXTRA_CA_CERTS',
  'TF_FORCE_GPU_ALLOW_GROWTH',
  'AWS_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
];

const kustomize = await findKustomize();
const venv = await schemaVenv();
const reason = 'reason' in kustomize ? kustomize.reason : null;

const variants = [
  ...OVERLAYS.map((name) => ({
    name: `overlay ${name}`,
    load: () => render(kustomize, join(DEPLOY, 'overlays', name)),
  })),
  ...COMPONENTS.map((name) => ({ name: `base with ${name}`, load: () => renderComponent(kustomize, name) })),
];

it('has the overlays and components that the README lists', () => {
  expect(OVERLAYS).toEqual(['dev', 'production', 'staging']);
  const readme = readFileSync(join(DEPLOY, 'components', 'README.md'), 'utf8');
  for (const component of COMPONENTS) expect(readme).toContain(`\`${component}\``);
});

describe.skipIf(reason !== null)(`manifests (${reason ?? 'rendered by kustomize'})`, () => {
  describe.each(variants)('$name', ({ load }) => {
    let rendering: Rendering;
    let manifests: readonly Manifest[];

    beforeAll(async () => {
      rendering = await load();
      manifests = rendering.manifests;
    });

    it.skipIf('reason' in venv)("fits the schemas of Kubernetes and of the operators' kinds", async () => {
      if ('python' in venv) expect(await validate(venv.python, rendering)).toEqual([]);
    });

    it('holds no secret, and refers only to those that the README creates', () => {
      expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
      const readme = readFileSync(join(DEPLOY, 'README.md'), 'utf8');
      const references = workloadsOf(manifests)
        .flatMap(({ containers }) => containers.flatMap(({ env = [] }) => env))
        .flatMap(({ valueFrom }) => (valueFrom?.secretKeyRef === undefined ? [] : [valueFrom.secretKeyRef]));
      expect(references.length).toBeGreaterThan(0);
      const mounted = workloadsOf(manifests).flatMap(({ pod }) =>
        secretVolumesOf(pod).flatMap(({ secretName: name, items }) => items.map(({ key }) => ({ name, key }))),
      );
      for (const { name, key } of [...references, ...mounted]) {
        expect(readme).toContain(`create secret generic ${name}`);
        expect(readme).toMatch(new RegExp(`--from-(literal|file)=${key}=`));
      }
    });

    it('protects the gRPC port, or sets GRAFT_COORDINATOR_INSECURE', () => {
      const coordinator = workload(manifests, 'graft-coordinator').pod;
      const trainer = workload(manifests, 'graft-trainer').pod;
      const environment = environmentOf(manifests, coordinator.containers[0]!);
      const { tls, needsTokens } = readCoordinatorConfig(environment).security;
      const { connection } = readTrainerConfig(environmentOf(manifests, trainer.containers[0]!));
      if (environment['GRAFT_COORDINATOR_INSECURE'] === 'on') {
        expect([tls, needsTokens, connection.tls, connection.token]).toEqual([null, false, null, null]);
        return;
      }
      expect(needsTokens).toBe(true);
      expect(filesOf(coordinator)).toEqual(expect.arrayContaining([tls?.certificate.path, tls?.key.path]));
      const token = connection.token && 'file' in connection.token ? connection.token.file : null;
      expect(filesOf(trainer)).toEqual(expect.arrayContaining([connection.tls?.ca, token]));
    });

    it('meets the pod security profile "restricted"', () => {
      for (const { name, pod, containers } of workloadsOf(manifests)) {
        expect([pod.hostNetwork, pod.hostPID, pod.hostIPC], name).toEqual([undefined, undefined, undefined]);
        expect(pod.securityContext, name).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(pod.securityContext?.runAsUser, name).toBeGreaterThan(0);
        expect(pod.automountServiceAccountToken, name).toBe(false);
        const allowed = [
          'configMap',
          'csi',
          'downwardAPI',
          'emptyDir',
          'ephemeral',
          'persistentVolumeClaim',
          'projected',
          'secret',
        ];
        for (const { name: volume, ...source } of pod.volumes ?? [])
          expect(allowed, volume).toContain(Object.keys(source)[0]);
        for (const container of containers) {
          expect(container.securityContext, `${name}/${container.name}`).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
        }
      }
      const { labels } = find(
        manifests,
        'Namespace',
        manifests.find(({ kind }) => kind === 'Namespace')!.metadata.name,
      ).metadata;
      expect(labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    });

    it('requests and limits memory and ephemeral storage, and mounts only volumes that it has', () => {
      for (const { name, containers, volumeNames } of workloadsOf(manifests)) {
        for (const { resources, volumeMounts = [], name: container } of containers) {
          const where = `${name}/${container}`;
          expect(resources?.requests, where).toMatchObject({
            cpu: expect.anything() as unknown,
            memory: expect.anything() as unknown,
            'ephemeral-storage': expect.anything() as unknown,
          });
          expect(resources?.limits, where).toMatchObject({
            memory: expect.anything() as unknown,
            'ephemeral-storage': expect.anything() as unknown,
          });
          for (const mount of volumeMounts) expect(volumeNames, where).toContain(mount.name);
          expect(
            volumeMounts.map(({ mountPath }) => mountPath),
            where,
          ).toContain('/tmp');
        }
      }
    });

    it('gives every pod that writes to a volume the group that owns it', () => {
      for (const { name, pod, containers, volumeNames } of workloadsOf(manifests)) {
        const readOnly = (pod.volumes ?? [])
          .filter(({ emptyDir, ...source }) => emptyDir !== undefined || 'configMap' in source || 'secret' in source)
          .map((volume) => volume.name);
        const written = containers
          .flatMap(({ volumeMounts = [] }) => volumeMounts)
          .filter((mount) => mount.readOnly !== true && volumeNames.has(mount.name) && !readOnly.includes(mount.name));
        if (written.length === 0) continue;
        // Kubernetes gives a volume to the group fsGroup; without it a new one belongs to root.
        const { runAsGroup, fsGroup } = pod.securityContext ?? {};
        expect(fsGroup, name).toBe(runAsGroup);
      }
    });

    it('pins every image by digest', () => {
      for (const { containers } of workloadsOf(manifests)) {
        for (const container of containers.filter((one) => !isOwnImage(one))) {
          expect(container.image).toMatch(/:v?\d[\w.-]*@sha256:[0-9a-f]{64}$/);
        }
      }
    });

    it('sets only variables that the services read and accept', () => {
      for (const { containers } of workloadsOf(manifests)) {
        for (const container of containers.filter(isOwnImage)) {
          const environment = environmentOf(manifests, container);
          const names = Object.keys(environment);
          switch (serviceOf(container)) {
            case 'coordinator':
              expect([...Object.keys(COORDINATOR_SETTINGS), ...FOREIGN_SETTINGS]).toEqual(
                expect.arrayContaining(names),
              );
              expect(readCoordinatorConfig(environment).listen).toBe('0.0.0.0:50051');
              break;
            case 'trainer':
              expect([...Object.keys(TRAINER_SETTINGS), ...FOREIGN_SETTINGS]).toEqual(expect.arrayContaining(names));
              expect(readTrainerConfig(environment)).toMatchObject({
                coordinatorAddresses: ['graft-coordinator:50051'],
                slotCount: 1,
                trainerId: 'graft-trainer-0',
                threadsPerSlot: Number(container.resources?.requests?.['cpu']),
              });
              break;
            default:
              expect([...Object.keys(DATABASE_SETTINGS), ...FOREIGN_SETTINGS]).toEqual(expect.arrayContaining(names));
              expect(names).toContain('DATABASE_URL');
          }
        }
      }
    });

    it("gives no pod the variables of service links, which look like settings that don't exist", () => {
      for (const { name, pod } of workloadsOf(manifests)) expect(pod.enableServiceLinks, name).toBe(false);
    });

    it('probes ports that the services listen on, and ends no pod before it has drained', () => {
      for (const { name, pod } of workloadsOf(manifests)) {
        for (const container of pod.containers) checkProbes(manifests, `${name}/${container.name}`, container);
      }
      const coordinator = workload(manifests, 'graft-coordinator').pod;
      const pause = coordinator.containers[0]!.lifecycle?.preStop?.sleep?.seconds ?? 0;
      expect(pause).toBeGreaterThan(0);
      const config = readCoordinatorConfig(environmentOf(manifests, coordinator.containers[0]!));
      const needed = 1_000 * pause + coordinatorGraceMs(config);
      expect(1_000 * (coordinator.terminationGracePeriodSeconds ?? 30)).toBeGreaterThan(needed);
      const trainer = workload(manifests, 'graft-trainer').pod;
      const trainerConfig = readTrainerConfig(environmentOf(manifests, trainer.containers[0]!));
      expect(1_000 * (trainer.terminationGracePeriodSeconds ?? 30)).toBeGreaterThan(trainerGraceMs(trainerConfig));
    });

    it('has selectors that match their targets', () => checkSelectors(manifests));

    it('makes coordinators wait for the migrations, on different nodes', () => {
      const { pod } = workload(manifests, 'graft-coordinator');
      expect(pod.initContainers?.map(serviceOf)).toEqual(['migrate']);
      expect(pod.initContainers?.[0]?.command?.at(-2)).toBe('--wait');
      expect(Object.keys(pod.affinity?.podAntiAffinity ?? {})).toHaveLength(1);
      for (const name of ['graft-coordinator', 'graft-trainer']) {
        const keys = workload(manifests, name).pod.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey);
        expect(keys).toEqual(['topology.kubernetes.io/zone']);
        const { priorityClassName = '', serviceAccountName = '' } = workload(manifests, name).pod;
        find(manifests, 'PriorityClass', priorityClassName);
        find(manifests, 'ServiceAccount', serviceAccountName);
      }
    });
  });

  it.each(OVERLAYS)('%s pins the images of Graft, one version for all', async (name) => {
    const { manifests } = await render(kustomize, join(DEPLOY, 'overlays', name));
    const images = workloadsOf(manifests).flatMap(({ containers }) =>
      containers.filter(isOwnImage).map(({ image }) => image),
    );
    const tags = new Set(images.map((image) => image.slice(image.lastIndexOf(':') + 1)));
    expect(images.length).toBe(4);
    expect([...tags]).toEqual([
      name === 'dev' ? 'dev' : (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version,
    ]);
  });

  it('deletes no object of another overlay with an overlay', async () => {
    const owners = new Map<string, string>();
    for (const overlay of OVERLAYS) {
      const { manifests } = await render(kustomize, join(DEPLOY, 'overlays', overlay));
      for (const { kind, metadata } of manifests.filter((one) => one.metadata.namespace === undefined)) {
        const name = `${kind} ${metadata.name}`;
        expect([name, owners.get(name)]).toEqual([name, undefined]);
        owners.set(name, overlay);
      }
    }
    expect([...owners.keys()].filter((name) => name.startsWith('PriorityClass'))).toEqual([
      'PriorityClass graft-dev-coordinator',
      'PriorityClass graft-dev-trainer',
      'PriorityClass graft-coordinator',
      'PriorityClass graft-trainer',
      'PriorityClass graft-staging-coordinator',
      'PriorityClass graft-staging-trainer',
    ]);
  });

  it('mounts the private authorities into every container of Graft, at the path that Node reads', async () => {
    const { manifests } = await renderComponent(kustomize, 'private-ca');
    for (const { pod, containers } of workloadsOf(manifests)) {
      expect(pod.volumes).toContainEqual({ name: 'private-ca', configMap: { name: 'graft-private-ca' } });
      for (const container of containers.filter(isOwnImage)) {
        const { NODE_EXTRA_CA_CERTS: path = '' } = environmentOf(manifests, container);
        const mount = container.volumeMounts?.find(({ name }) => name === 'private-ca');
        expect(path, container.name).toBe(`${mount?.mountPath}/ca.crt`);
      }
    }
    expect(readFileSync(join(DEPLOY, 'README.md'), 'utf8')).toContain(
      'create configmap graft-private-ca --from-file=ca.crt=',
    );
  });

  it.each([
    ['overlays/production', { 'nvidia.com/gpu': 1 }],
    ['overlays/staging', { 'nvidia.com/gpu': 1 }],
    ['overlays/dev', {}],
    ['components/gpu-mig', { 'nvidia.com/mig-1g.10gb': 1 }],
  ])('%s asks for the devices %o', async (path, devices) => {
    const [folder = '', name = ''] = path.split('/');
    const rendering = folder === 'overlays' ? render(kustomize, join(DEPLOY, path)) : renderComponent(kustomize, name);
    const trainer = workload((await rendering).manifests, 'graft-trainer');
    const limits = Object.entries(trainer.containers[0]?.resources?.limits ?? {}).filter(([key]) =>
      key.includes('nvidia'),
    );
    expect(Object.fromEntries(limits)).toEqual(devices);
    expect(trainer.pod.tolerations?.map(({ key }) => key)).toContain('nvidia.com/gpu');
  });

  it('lets only the autoscaler set the number of trainers in production', async () => {
    const { manifests } = await render(kustomize, join(DEPLOY, 'overlays', 'production'));
    expect(find(manifests, 'StatefulSet', 'graft-trainer').spec).not.toHaveProperty('replicas');
    expect(find(manifests, 'Deployment', 'graft-coordinator').spec).toMatchObject({ replicas: 2 });
    const { affinity } = workload(manifests, 'graft-coordinator').pod;
    expect(Object.keys(affinity?.podAntiAffinity ?? {})).toEqual(['requiredDuringSchedulingIgnoredDuringExecution']);
  });
});

function checkProbes(manifests: readonly Manifest[], where: string, container: Container): void {
  const ports = container.ports ?? [];
  const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe];
  const service = serviceOf(container);
  if (service === 'migrate') return;
  for (const probe of probes) {
    expect(probe, where).toBeDefined();
    const port = portOf(probe!);
    if (port !== null)
      expect(
        ports.flatMap(({ name, containerPort }) => [name, containerPort]),
        where,
      ).toContain(port);
  }
  if (service === null) return;
  const environment = environmentOf(manifests, container);
  const config = service === 'coordinator' ? readCoordinatorConfig(environment) : readTrainerConfig(environment);
  const { port: metricsPort, host } = splitListenAddress(config.metricsListen ?? 'localhost:0');
  expect(host).toBe('0.0.0.0');
  const expected = [{ name: 'metrics', containerPort: metricsPort }];
  if ('listen' in config) {
    const { port } = splitListenAddress(config.listen);
    expected.unshift({ name: 'grpc', containerPort: port });
    // The kubelet's gRPC probes don't support TLS.
    const isGuarded = config.security.tls !== null;
    for (const probe of probes) expect(probe?.grpc, where).toEqual(isGuarded ? undefined : { port });
  }
  expect(ports, where).toEqual(expected);
}

function secretVolumesOf(pod: PodSpec): readonly SecretVolume[] {
  return (pod.volumes ?? []).flatMap((volume) => ('secret' in volume ? [volume['secret'] as SecretVolume] : []));
}

/** Returns the paths of the secret files visible to a pod's containers. */
function filesOf(pod: PodSpec): readonly string[] {
  const mounts = pod.containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
  return (pod.volumes ?? []).flatMap((volume) => {
    const mount = mounts.find(({ name }) => name === volume.name);
    if (!('secret' in volume) || mount === undefined) return [];
    expect(mount.readOnly).toBe(true);
    return (volume['secret'] as SecretVolume).items.map(({ path }) => join(mount.mountPath, path));
  });
}

function portOf(probe: Probe): string | number | null {
  return probe.grpc?.port ?? probe.httpGet?.port ?? null;
}

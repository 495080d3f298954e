import { readFileSync } from 'node:fs';
import type { Server } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';

const DESCRIPTORS = new URL('../../../proto/gen/descriptor.binpb', import.meta.url);

/** Lets any client, for example grpcurl, find the services without a proto file. ts-proto's code has no descriptors. */
export function addReflection(server: Server): void {
  const definitions = loadFileDescriptorSetFromBuffer(readFileSync(DESCRIPTORS));
  new ReflectionService(definitions).addToServer(server);
}

const SERVICES = ['', 'graft.v1.SweepService', 'graft.v1.TrainerService'];

/** `grpc.health.v1`, for Kubernetes' probes and load balancers. */
export class Health {
  readonly #health = new HealthImplementation(Object.fromEntries(SERVICES.map((name) => [name, 'NOT_SERVING'])));

  addToServer(server: Server): void {
    this.#health.addToServer(server);
  }

  setServing(isServing: boolean): void {
    for (const service of SERVICES) this.#health.setStatus(service, isServing ? 'SERVING' : 'NOT_SERVING');
  }
}

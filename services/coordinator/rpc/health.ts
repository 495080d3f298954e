import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

const SERVICES = ['', 'graft.v1.SweepService', 'graft.v1.TokenService', 'graft.v1.TrainerService'];

/** The service `grpc.health.v1` for probes of Kubernetes and load balancers. NOT_SERVING until `setServing(true)`. */
export class Health {
  readonly #health = new HealthImplementation(Object.fromEntries(SERVICES.map((name) => [name, 'NOT_SERVING'])));
  #isServing = false;

  get isServing(): boolean {
    return this.#isServing;
  }

  addToServer(server: Server): void {
    this.#health.addToServer(server);
  }

  setServing(isServing: boolean): void {
    this.#isServing = isServing;
    for (const service of SERVICES) this.#health.setStatus(service, isServing ? 'SERVING' : 'NOT_SERVING');
  }
}

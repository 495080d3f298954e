import { createAdminToken } from '../../services/coordinator/create-admin-token.ts';
import { Secret } from '../../services/platform/config/secret.ts';
import { NO_RETRY, createClient } from '../../services/platform/rpc/client.ts';
import { clientSecurity } from '../../services/platform/rpc/security/client-security.ts';
import { createLogger } from '../../services/platform/telemetry/logger.ts';
import { TokenRole, TokenServiceService } from '../../proto/gen/graft/v1/token_service.ts';
import { CoordinatorProcess } from '../support/coordinator-process.ts';

/** A coordinator that requires tokens, and tokens that together may call all methods. */
export interface GuardedCoordinator extends AsyncDisposable {
  readonly coordinator: CoordinatorProcess;
  /** Returns a token of a role that may call the method. */
  tokenFor(path: string): string;
}

/** Starts the coordinator. @param folder of the database and the artifacts. */
export async function startGuardedCoordinator(folder: string): Promise<GuardedCoordinator> {
  const coordinator = await CoordinatorProcess.start(folder, {
    // Refused calls are not logged, and the limit on calls is not under test.
    env: {
      GRAFT_LOG_LEVEL: 'error',
      GRAFT_COORDINATOR_TOKENS: 'on',
      GRAFT_COORDINATOR_CALLS_PER_SECOND: '1000000',
    },
  });
  const log = createLogger('fuzz', 'silent');
  const admin = await createAdminToken(coordinator.databaseUrl, 'fuzz', log);
  const addresses = [coordinator.address];
  const security = clientSecurity(
    { tls: null, token: { value: new Secret(admin) }, isInsecureAllowed: false },
    addresses,
    log,
  );
  const tokens = createClient(TokenServiceService, { addresses, retry: NO_RETRY, security });
  const { secret: trainer } = await tokens.call.createToken({
    name: 'fuzz',
    role: TokenRole.TRAINER,
    expireTime: undefined,
    trainerIds: [],
  });
  tokens.close();
  return {
    coordinator,
    tokenFor: (path) => (path.startsWith('/graft.v1.TrainerService/') ? trainer : admin),
    [Symbol.asyncDispose]: () => coordinator[Symbol.asyncDispose](),
  };
}

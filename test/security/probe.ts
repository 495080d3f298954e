import { connectionOf } from '../../services/cli/context/connection-options.ts';
import { GraftError } from '../../services/core/errors.ts';
import { createClient, NO_RETRY } from '../../services/platform/rpc/client.ts';
import { RpcError } from '../../services/platform/rpc/errors.ts';
import { clientSecurity } from '../../services/platform/rpc/security/client-security.ts';
import { createLogger } from '../../services/platform/telemetry/logger.ts';
import { SweepServiceService } from '../../proto/gen/graft/v1/sweep_service.ts';

/** One call with its settings, and its result. */
export interface Attempt {
  readonly method: 'CreateSweep' | 'ListSweeps';
  readonly env: Readonly<Record<string, string>>;
}

export interface Outcome {
  /** `OK`, a gRPC status, or a reason of Graft. */
  readonly status: string;
  readonly message: string;
}

const log = createLogger('probe', 'silent');

async function attempt({ method, env }: Attempt): Promise<Outcome> {
  const addresses = [env['GRAFT_COORDINATOR'] ?? ''];
  try {
    const security = clientSecurity(connectionOf(env, {}), addresses, log);
    using client = createClient(SweepServiceService, { addresses, security, retry: NO_RETRY });
    // An empty spec is refused as well, but only after authorisation.
    if (method === 'CreateSweep') await client.call.createSweep({ requestId: '', spec: undefined });
    else await client.call.listSweeps({ pageSize: 1, pageToken: '' });
    return { status: 'OK', message: '' };
  } catch (error) {
    const status = error instanceof GraftError ? error.reason : error instanceof RpcError ? error.code : 'THROWN';
    return { status, message: (error as Error).message };
  }
}

const attempts = JSON.parse(process.argv[2] ?? '[]') as readonly Attempt[];
const outcomes: Outcome[] = [];
for (const one of attempts) outcomes.push(await attempt(one));
process.stdout.write(JSON.stringify(outcomes));

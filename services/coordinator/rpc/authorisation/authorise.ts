import { PermissionDeniedError, UnauthenticatedError } from '../../../core/errors.ts';
import { includesRole } from '../../../core/token-role.ts';
import { TOKEN_PATTERN } from '../../../platform/config/connection-settings.ts';
import type { CallContext, Interceptor } from '../../../platform/rpc/call-context.ts';
import type { Logger } from '../../../platform/telemetry/logger.ts';
import { hashOfToken } from '../../new-token.ts';
import type { CallLimits } from './call-limits.ts';
import { recordCallerName } from './caller.ts';
import { METHOD_ROLES } from './method-roles.ts';
import { limitToTrainers } from './trainer-scope.ts';
import type { Need } from './method-roles.ts';
import type { LiveToken, TokenCache } from './token-cache.ts';

/**
 * Returns an interceptor that lets a call through when its token has the role that `METHOD_ROLES` requires and `limits` allow
 * the call. It ends calls whose token ends. Calls that change something are logged with the token's name.
 */
export function authorise(tokens: TokenCache, limits: CallLimits, log: Logger): Interceptor {
  return async (context, next) => {
    const need = METHOD_ROLES.get(context.path);
    if (need === undefined) throw new Error(`${context.path} is not in METHOD_ROLES.`);
    const { token, hash } = await authenticate(context, tokens, limits);
    const release = limits.begin(token.tokenId);
    const ended: UnauthenticatedError[] = [];
    const unfollow = tokens.follow(hash, (error) => {
      ended.push(error);
      context.abort(error);
    });
    try {
      check(context.path, need, token, log);
      limitToTrainers(context, token.trainerIds);
      recordCallerName(context, token.name);
      await next();
    } catch (error) {
      throw ended[0] ?? error;
    } finally {
      unfollow();
      release();
    }
    // An aborted stream ends without an error of its own.
    if (ended[0] !== undefined) throw ended[0];
  };
}

async function authenticate(
  context: CallContext,
  tokens: TokenCache,
  limits: CallLimits,
): Promise<{ readonly token: LiveToken; readonly hash: string }> {
  const address = context.peer.replace(/:\d+$/, '');
  try {
    const secret = secretOf(context);
    const hash = hashOfToken(secret ?? '');
    if (secret === null || !tokens.isKnown(hash)) limits.checkAddress(address);
    if (secret === null) throw new UnauthenticatedError('This call needs a token, and none was sent.');
    return { token: await tokens.verify(hash), hash };
  } catch (error) {
    if (error instanceof UnauthenticatedError) limits.recordRefusal(address);
    throw error;
  }
}

/** Returns the bearer token, or null when none was sent. @throws UnauthenticatedError when it is malformed. */
function secretOf({ metadata }: CallContext): string | null {
  const header = metadata.get('authorization')[0];
  if (typeof header !== 'string') return null;
  const secret = /^bearer (\S+)$/i.exec(header)?.[1] ?? '';
  if (!TOKEN_PATTERN.test(secret)) {
    throw new UnauthenticatedError(
      'The header authorization must be `Bearer graft_…` with 43 characters after graft_.',
    );
  }
  return secret;
}

function check(path: string, need: Need, token: LiveToken, log: Logger): void {
  const method = path.slice(path.lastIndexOf('/') + 1);
  const fields = { call: path, token_id: token.tokenId, token_name: token.name, role: token.role };
  if (need !== 'ANY' && !includesRole(token.role, need)) {
    log.warn({ ...fields, needed_role: need }, 'call refused: the role of its token does not allow it');
    throw new PermissionDeniedError(method, token.role, need);
  }
  if (need === 'SUBMITTER' || need === 'ADMIN') log.info(fields, 'call allowed');
}

import { matchHandle, parseRunOfSweep } from '../../core/handle.ts';
import type { HandleKind } from '../../core/handle.ts';
import type { HandleCandidate } from '../../core/records/handle.ts';
import { MissingError, UsageError } from '../terminal/cli-errors.ts';
import { formatTime } from '../terminal/format.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { renderTable } from '../terminal/table.ts';
import type { GraftClient } from './client-port.ts';

/**
 * Returns the identity of the sweep that a handle names. `graft --help` describes handles.
 *
 * @throws MissingError for an unknown handle; UsageError for an ambiguous one. Both list what it may mean.
 */
export async function resolveSweep(client: GraftClient, handle: string): Promise<string> {
  return resolve(client, 'SWEEP', handle);
}

/**
 * Returns the identity of the run that a handle names.
 *
 * @param sweep handle of the sweep that a run's number, or `best`, belongs to; undefined: the latest sweep.
 * @throws MissingError for an unknown handle; UsageError for an ambiguous one, and for a sweep beside a handle that names its own.
 */
export async function resolveRun(client: GraftClient, handle: string, sweep?: string): Promise<string> {
  if (sweep === undefined) return resolve(client, 'RUN', handle);
  const joined = `${sweep}/${handle}`;
  if (handle.includes('/') || parseRunOfSweep(joined) === null) {
    throw new UsageError(`A run of sweep '${sweep}' is named by its number or as 'best'; received '${handle}'.`);
  }
  return resolve(client, 'RUN', joined);
}

/** Returns the identity of a checkpoint; a handle of a run or sweep names its best one. @throws MissingError; UsageError */
export async function resolveCheckpoint(client: GraftClient, handle: string): Promise<string> {
  return resolve(client, 'CHECKPOINT', handle);
}

/** Returns the identity of the trainer that a handle names. @throws MissingError; UsageError */
export async function resolveTrainer(client: GraftClient, handle: string): Promise<string> {
  return resolve(client, 'TRAINER', handle);
}

/**
 * Returns the identity of the token that a handle names. Tokens are few, and only administrators may list them.
 *
 * @throws MissingError; UsageError
 */
export async function resolveToken(client: GraftClient, handle: string): Promise<string> {
  requireHandle('token', handle);
  const tokens = (await client.listTokens()).map(({ tokenId, name, revokeTime, createTime }) => {
    return { id: tokenId, displayName: name, state: revokeTime === null ? '' : 'revoked', createTime };
  });
  const { items } = matchHandle(handle, tokens);
  // A token that replaced a revoked one has its name.
  const live = items.filter(({ state }) => state !== 'revoked');
  const [token, ...others] = live.length > 0 ? live : items;
  if (token === undefined) {
    throw new MissingError(`There is no token '${handle}'. \`${GRAFT} token list\` shows all.`);
  }
  if (others.length === 0) return token.id;
  throw new UsageError(withCandidates(`'${handle}' names several tokens. Use the id of one:`, [token, ...others]));
}

async function resolve(client: GraftClient, kind: HandleKind, handle: string): Promise<string> {
  requireHandle(kind.toLowerCase(), handle);
  const { outcome, id, problem, candidates } = await client.resolveHandle(kind, handle);
  if (outcome === 'FOUND') return id;
  const message = withCandidates(problem, candidates);
  throw outcome === 'AMBIGUOUS' ? new UsageError(message) : new MissingError(message);
}

/** Refuses an empty handle, as of an unset shell variable: everything starts with it. */
function requireHandle(kind: string, handle: string): void {
  if (handle === '') throw new UsageError(`A ${kind} is required; received an empty string.`);
}

function withCandidates(problem: string, candidates: readonly HandleCandidate[]): string {
  if (candidates.length === 0) return problem;
  const table = renderTable(
    [{ title: 'id' }, { title: 'name' }, { title: 'state' }, { title: 'created' }],
    candidates.map(({ id, displayName, state, createTime }) => [id, displayName, state, formatTime(createTime)]),
  );
  // Without the titles.
  const lines = table.split('\n').slice(1);
  return [problem, ...lines.map((line) => `  ${line}`)].join('\n');
}

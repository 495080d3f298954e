/** What a token allows. */
export type TokenRole = 'VIEWER' | 'SUBMITTER' | 'TRAINER' | 'ADMIN';

export const TOKEN_ROLES: readonly TokenRole[] = ['VIEWER', 'SUBMITTER', 'TRAINER', 'ADMIN'];

/** Of those who use the public service, each may do what the ones before it may. A trainer works and reads nothing. */
const RANKS: Readonly<Record<TokenRole, number | null>> = { VIEWER: 0, SUBMITTER: 1, ADMIN: 2, TRAINER: null };

/** Whether a token with `role` may do what needs `needed`. */
export function includesRole(role: TokenRole, needed: TokenRole): boolean {
  const [own, least] = [RANKS[role], RANKS[needed]];
  return own === null || least === null ? role === needed : own >= least;
}

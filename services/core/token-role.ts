/** What a token allows. */
export const TOKEN_ROLES = ['VIEWER', 'SUBMITTER', 'TRAINER', 'ADMIN'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

/** Of those who use the public service, each may do what the ones before it may. A trainer works and reads nothing. */
const RANKS: Readonly<Record<TokenRole, number | null>> = { VIEWER: 0, SUBMITTER: 1, ADMIN: 2, TRAINER: null };

/** Whether a token with `role` may do what needs `needed`. */
export function includesRole(role: TokenRole, needed: TokenRole): boolean {
  const [own, least] = [RANKS[role], RANKS[needed]];
  return own === null || least === null ? role === needed : own >= least;
}

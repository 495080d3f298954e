/** Roles of a token, which decide the calls that it allows. */
export const TOKEN_ROLES = ['VIEWER', 'SUBMITTER', 'TRAINER', 'ADMIN'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

/** Ranks in the public service: each role includes the lower ones. A trainer works and reads nothing. */
const RANKS: Readonly<Record<TokenRole, number | null>> = { VIEWER: 0, SUBMITTER: 1, ADMIN: 2, TRAINER: null };

/** Returns whether a token with `role` may make a call that needs the role `needed`. */
export function includesRole(role: TokenRole, needed: TokenRole): boolean {
  const [own, least] = [RANKS[role], RANKS[needed]];
  return own === null || least === null ? role === needed : own >= least;
}

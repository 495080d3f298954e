/** The program as users type it, for hints. In a checkout, `npx` finds the launcher without an installation. */
export const GRAFT = 'npx graft';

/** How a command is typed, for hints. Inside a checkout `npx` finds our own launcher without an installation. */
export const GRAFT = 'npx graft';

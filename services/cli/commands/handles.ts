/** Descriptions of arguments that take a handle, and what `graft --help` says about handles. */
export const SWEEP_HANDLE = 'sweep: latest, its id or name, or a unique beginning of either';
export const RUN_HANDLE =
  'run: its number in the latest sweep, SWEEP/NUMBER, SWEEP/best, its id, or a unique beginning';
export const CHECKPOINT_HANDLE =
  'checkpoint: its id or a unique beginning; or a run or sweep, whose best checkpoint is taken';
export const RUN_SWEEP_OPTION = ['--sweep <sweep>', 'sweep of a run given by number (default: latest)'] as const;

export const REASON = ['--reason <text>', 'reason, stored and shown with the state', ''] as const;

export const REMOVE_TAGS = ['--remove <tags...>', 'tags to remove'] as const;

export const HANDLE_HELP = `
Sweeps, runs and other things can be named by more than their id:
  sweep       latest; its id or name, or a unique beginning of either
  run         SWEEP/NUMBER or SWEEP/best, for example latest/3 or heads/best; its
              number, in the latest sweep or that of --sweep; its id or a unique
              beginning of it
  checkpoint  its id or a unique beginning of it; a run or a sweep stands for its
              best checkpoint
  trainer, token
              its id, its host name or name, or a unique beginning of either
Case does not matter in names. A handle that names several things is refused with
a list of them.
`;

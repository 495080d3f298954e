const PLAIN = /^[\w./:@-]+$/;

/** Quotes a word of a command for the shell if it needs quotes. */
export function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

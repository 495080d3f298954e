/** A question of prisma/README.md and its SQL. */
export interface ReadmeQuery {
  /** The paragraph before the block, on one line. */
  readonly question: string;
  readonly query: string;
}

/** Returns all SQL blocks of a Markdown document, each with the paragraph before it. */
export function readmeQueries(markdown: string): readonly ReadmeQuery[] {
  return [...markdown.matchAll(/^((?:[^\n]+\n)+)\n```sql\n(.*?)^```$/gms)].map(([, question = '', query = '']) => ({
    question: question.trim().replaceAll('\n', ' '),
    query,
  }));
}

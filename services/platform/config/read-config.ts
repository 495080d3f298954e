import type { z } from 'zod';

/** Thrown when environment variables can't be used; lists all of them with what was received. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration can't be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Variables whose value may hold a secret. */
const SECRET_NAME = /URL|URI|TOKEN$|PASSWORD|SECRET|KEY_ID$/;

function describeValue(name: string, value: string | undefined): string {
  if (value === undefined) return 'nothing';
  return SECRET_NAME.test(name) ? `${value.length} characters that are not shown` : JSON.stringify(value);
}

/**
 * Reads a service's configuration from the environment, the only place where it is read. Variables that start with one
 * of `ownPrefixes` and are not in the schema are errors, which catches typing mistakes. Empty counts as unset.
 *
 * @throws ConfigError with every problem, each naming the variable and what was received.
 */
export function readConfig<T extends z.ZodObject>(
  schema: T,
  env: Readonly<Record<string, string | undefined>>,
  ownPrefixes: readonly string[] = [],
): z.infer<T> {
  const known = new Set(Object.keys(schema.shape));
  const given = Object.fromEntries(Object.entries(env).filter(([name, value]) => known.has(name) && value !== ''));
  const problems = Object.keys(env)
    .filter((name) => ownPrefixes.some((prefix) => name.startsWith(prefix)) && !known.has(name))
    .map((name) => `${name}: no such setting. Known: ${[...known].join(', ')}.`);
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0] ?? '');
      problems.push(`${name}: ${issue.message}. Received: ${describeValue(name, given[name])}.`);
    }
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  return parsed.data;
}

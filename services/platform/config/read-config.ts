import type { Settings, ValuesOf } from './setting.ts';

/** Thrown when settings can't be used. Lists every problem with the variable, the value received and how to fix it. */
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
 * Reads the settings of a service from the environment. An empty variable counts as unset. A variable that starts with one of
 * `ownPrefixes` and is not in the table is a problem, which catches misspelt names.
 *
 * @throws ConfigError with every problem, each naming the variable and the value received.
 */
export function readSettings<T extends Settings>(
  settings: T,
  env: Readonly<Record<string, string | undefined>>,
  ownPrefixes: readonly string[] = [],
): ValuesOf<T> {
  const names = Object.keys(settings);
  const problems = Object.keys(env)
    .filter((name) => ownPrefixes.some((prefix) => name.startsWith(prefix)) && !(name in settings))
    .map((name) => `${name}: no such setting. Known: ${names.join(', ')}.`);
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const given = env[name] === '' ? undefined : env[name];
    if (given === undefined && 'unset' in setting) continue;
    // Defaults pass through the schema as well, because some are transformed.
    const fallback = 'default' in setting ? setting.default : undefined;
    const parsed = setting.schema.safeParse(given ?? fallback);
    if (parsed.success) values[name] = parsed.data;
    else {
      const received = describeValue(name, given);
      problems.push(...parsed.error.issues.map(({ message }) => `${name}: ${message}. Received: ${received}.`));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return values as ValuesOf<T>;
}

/**
 * Runs checks that span several settings, and returns the results.
 *
 * @throws ConfigError with the problems of all checks.
 */
export function checkTogether<T extends readonly unknown[]>(...checks: { readonly [K in keyof T]: () => T[K] }): T {
  const problems: string[] = [];
  const results = checks.map((check) => {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return results as unknown as T;
}

import { readFileSync } from 'node:fs';
import { describeWrongToken, TOKEN_PATTERN } from '../../config/connection-settings.ts';
import type { TokenConfig } from '../../config/connection-settings.ts';
import { ConfigError } from '../../config/read-config.ts';
import { describeFileError } from '../../files/file-problem.ts';
import type { Logger } from '../../telemetry/logger.ts';

/** Maximum age of a token read from a file: calls may follow each other within a millisecond. */
const FRESH_MS = 1_000;

/** Returns the token to send with a call; null: none. */
export type TokenSource = () => string | null;

/**
 * Creates the source of the configured token. A token file is read again when it has changed; while it is unusable the last good
 * token stays in use.
 *
 * @throws ConfigError if the file has no token at start; the message contains nothing that was read.
 */
export function tokenSource(config: TokenConfig | null, log: Logger, now: () => number = Date.now): TokenSource {
  if (config === null) return () => null;
  if ('value' in config) return () => config.value.reveal();
  const { file } = config;
  let token = readToken(file);
  let readAt = now();
  let wasGood = true;
  return () => {
    if (now() - readAt < FRESH_MS) return token;
    readAt = now();
    try {
      token = readToken(file);
      wasGood = true;
    } catch (error) {
      if (wasGood)
        log.warn({ reason: (error as Error).message }, 'the token can not be read again; the last one stays');
      wasGood = false;
    }
    return token;
  };
}

function readToken(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ConfigError([`GRAFT_TOKEN_FILE: ${describeFileError(error, file)}.`]);
  }
  if (TOKEN_PATTERN.test(text)) return text;
  throw new ConfigError([`GRAFT_TOKEN_FILE: ${file} must have a token and nothing else. ${describeWrongToken(text)}`]);
}

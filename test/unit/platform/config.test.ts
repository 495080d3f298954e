import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigError, readConfig } from '../../../services/platform/config/read-config.ts';

const schema = z.object({
  GRAFT_X_PORT: z.coerce.number().int().min(1).max(65_535).default(50_051),
  GRAFT_X_NAME: z.string().min(3).optional(),
});

describe('readConfig', () => {
  it('fills defaults, coerces, and takes an empty variable for an unset one', () => {
    expect(readConfig(schema, { GRAFT_X_PORT: '', OTHER: 'x' })).toEqual({ GRAFT_X_PORT: 50_051 });
    expect(readConfig(schema, { GRAFT_X_PORT: '80' })).toEqual({ GRAFT_X_PORT: 80 });
  });

  it('tells all problems at once, each with the variable and what was received', () => {
    const read = (): unknown =>
      readConfig(schema, { GRAFT_X_PORT: '70000', GRAFT_X_NAME: 'ab', GRAFT_X_PROT: '1' }, ['GRAFT_X_']);
    expect(read).toThrow(ConfigError);
    try {
      read();
    } catch (error) {
      const { problems } = error as ConfigError;
      expect(problems).toHaveLength(3);
      expect(problems.join('\n')).toMatch(/GRAFT_X_PROT: no such setting.*GRAFT_X_PORT/);
      expect(problems.join('\n')).toMatch(/GRAFT_X_PORT: .*Received: "70000"/);
      expect(problems.join('\n')).toMatch(/GRAFT_X_NAME: .*Received: "ab"/);
    }
  });
});

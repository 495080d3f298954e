import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkTogether, ConfigError, readSettings } from '../../../services/platform/config/read-config.ts';
import { integer, settingsHelp } from '../../../services/platform/config/setting.ts';
import type { Settings } from '../../../services/platform/config/setting.ts';

const settings = {
  GRAFT_X_PORT: { schema: z.coerce.number().int().min(1).max(65_535), default: 50_051, help: 'the port' },
  GRAFT_X_NAME: { schema: z.string().min(3), unset: 'none', help: 'the name' },
} satisfies Settings;

describe('readSettings', () => {
  it('applies defaults, coerces, and treats an empty variable as unset', () => {
    expect(readSettings(settings, { GRAFT_X_PORT: '', OTHER: 'x' })).toEqual({ GRAFT_X_PORT: 50_051 });
    expect(readSettings(settings, { GRAFT_X_PORT: '80' })).toEqual({ GRAFT_X_PORT: 80 });
  });

  it('reports all problems at once, each with the variable and what was received', () => {
    const read = (): unknown =>
      readSettings(settings, { GRAFT_X_PORT: '70000', GRAFT_X_NAME: 'ab', GRAFT_X_PROT: '1' }, ['GRAFT_X_']);
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

describe('checkTogether', () => {
  it('returns all results, or throws the problems of all checks', () => {
    const fail = (problem: string) => (): never => {
      throw new ConfigError([problem]);
    };
    expect(
      checkTogether<[number, string]>(
        () => 1,
        () => 'a',
      ),
    ).toEqual([1, 'a']);
    expect(() => checkTogether(fail('first'), () => 1, fail('second'))).toThrow(/first\n.*second/);
  });
});

describe('an integer', () => {
  it.each(['0', '11', '1.5', 'ten', '1e99'])('is refused with its bounds and unit: %s', (value) => {
    const read = (): unknown => readSettings({ N: { schema: integer(1, 10, 'bytes'), help: '' } }, { N: value });
    expect(read).toThrow(`N: must be an integer from 1 to 10 bytes. Received: "${value}".`);
  });
});

describe('the help', () => {
  it('shows the default, the value when a variable is unset, and whether it is required', () => {
    const required = { GRAFT_X_URL: { schema: z.string(), help: 'the URL' } };
    expect(settingsHelp({ ...settings, ...required }).split('\n')).toEqual([
      expect.stringMatching(/^ {2}GRAFT_X_PORT +the port \(50051\)$/),
      expect.stringMatching(/^ {2}GRAFT_X_NAME +the name \(none\)$/),
      expect.stringMatching(/^ {2}GRAFT_X_URL +the URL \(required\)$/),
      '',
    ]);
  });
});

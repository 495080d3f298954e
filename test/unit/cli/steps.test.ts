import { expect, it } from 'vitest';
import { Steps } from '../../../services/cli/terminal/steps.ts';

it('reports each step in one line, and one that fails in none', async () => {
  let text = '';
  const steps = new Steps({ write: (part) => (text += part) }, {});
  expect(
    await steps.run(
      'counting',
      () => Promise.resolve(3),
      (count) => `counted ${count}`,
    ),
  ).toBe(3);
  await expect(
    steps.run(
      'failing',
      () => Promise.reject(new Error('no')),
      () => 'done',
    ),
  ).rejects.toThrow('no');
  expect(text).toBe('counted 3\n');
});

it('prints no control characters where TERM=dumb', async () => {
  let text = '';
  const steps = new Steps({ write: (part) => (text += part), isTTY: true }, { TERM: 'dumb' });
  await steps.run(
    'counting',
    () => Promise.resolve(),
    () => 'counted',
  );
  expect(text).toBe('counted\n');
});

it('overwrites the title on a terminal, also for a remark', async () => {
  let text = '';
  const steps = new Steps({ write: (part) => (text += part), isTTY: true, columns: 80 }, {});
  await steps.run(
    'counting',
    () => Promise.resolve().then(() => steps.say('by the way')),
    () => 'counted',
  );
  expect(text).toBe('\r\u001b[2Kcounting …\r\u001b[2Kby the way\ncounted\n');
});

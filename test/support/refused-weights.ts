import { expect } from 'vitest';
import { taskErrorOf } from '../../services/trainer/training/task-error.ts';

/**
 * Expects weights to be refused permanently, so that no attempt repeats the read.
 *
 * @param reading result of reading the file.
 * @param path of the file, which the message must name.
 * @returns the message.
 */
export async function refusalOf(reading: Promise<unknown>, path: string): Promise<string> {
  const error: unknown = await reading.then(
    () => null,
    (reason: unknown) => reason,
  );
  const { errorClass, code, message } = taskErrorOf(error);
  expect({ errorClass, code }).toEqual({ errorClass: 'PERMANENT', code: 'BACKBONE_INVALID' });
  expect(message).toContain(path);
  return message;
}

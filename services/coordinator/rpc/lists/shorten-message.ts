import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import { EncodedMessage } from '../../../platform/rpc/encoded-message.ts';
import { MAX_MESSAGE_BYTES } from '../../../platform/rpc/server.ts';

/** The encoder of a generated message. */
export interface Encoder<M> {
  encode(message: M): BinaryWriter;
}

/** Leaves room for the fields of an answer beside its largest one. */
const MOST_BYTES = MAX_MESSAGE_BYTES - 64 * 1024;
/** The longest list and the longest string of each attempt to shorten. */
const TRIES = [
  { items: 100, characters: 1_000 },
  { items: 10, characters: 200 },
  { items: 1, characters: 50 },
] as const;

/**
 * Encodes a message so that it fits into an answer. A larger message is shortened: its lists and strings are cut, and its
 * `state_reason`, if it has one, says so. Limits on requests prevent such messages now, but rows may be older than the limits.
 */
export function fitMessage<M>(message: M, encoder: Encoder<M>): Uint8Array {
  const whole = encoder.encode(message).finish();
  let bytes = whole;
  for (const { items, characters } of TRIES) {
    if (bytes.length <= MOST_BYTES) break;
    const shorter = shortened(message, items, characters) as M;
    bytes = encoder.encode(noted(shorter, whole.length)).finish();
  }
  return bytes;
}

/** Encodes an answer that holds a sweep or a run, shortened like `fitMessage` when necessary. */
export function fitAnswer<M>(answer: M, encoder: Encoder<M>): EncodedMessage {
  return new EncodedMessage(Buffer.from(fitMessage(answer, encoder)));
}

function noted<M>(message: M, byteCount: number): M {
  if (typeof message !== 'object' || message === null) return message;
  for (const name of ['sweep', 'run']) {
    if (name in message) return { ...message, [name]: noted((message as Record<string, unknown>)[name], byteCount) };
  }
  if (!('stateReason' in message)) return message;
  const note = `(lists and strings are cut here: ${byteCount} bytes are more than an answer may have)`;
  return { ...message, stateReason: `${String(message.stateReason)} ${note}`.trim() };
}

function shortened(value: unknown, items: number, characters: number): unknown {
  if (typeof value === 'string') return value.length <= characters ? value : `${value.slice(0, characters)}…`;
  if (Array.isArray(value)) return value.slice(0, items).map((item) => shortened(item, items, characters));
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shortened(item, items, characters)]));
}

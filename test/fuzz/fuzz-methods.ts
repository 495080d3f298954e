import type { CoordinatorProcess } from '../support/coordinator-process.ts';
import { Mutator } from './mutate.ts';
import { RawClient } from './raw-calls.ts';
import type { RawAnswer, RawMethod } from './raw-calls.ts';

/** Internal details, which no answer may contain: paths, stacks, SQL, and error messages of Node.js and PostgreSQL. */
const INTERNALS =
  /node_modules|\bat \S+ \(|\.[cm]?[jt]s:\d|\/(home|root|tmp|usr|work)\/|\b(SELECT|INSERT|UPDATE|DELETE) |relation "|syntax error|is not a function|Cannot read prop|undefined \(|postgres(ql)?:\/\/|prisma/i;
/** gRPC's answer to bytes that can't be decoded, with the decoder's message. */
const UNREADABLE = /^Error deserializing request|^Failed to parse|^Request message serialization failure/;
const CONCURRENCY = 64;
const CLIENTS = 4;

export interface MethodFindings {
  readonly path: string;
  readonly hasToken: boolean;
  readonly messageCount: number;
  readonly seconds: number;
  /** Numbers of calls by status; UNREADABLE: bytes that can't be decoded. */
  readonly codes: ReadonlyMap<string, number>;
  /** Answers with internal details, and INTERNAL ones: each is a defect. At most a few are kept. */
  readonly faults: readonly string[];
  readonly highestBytes: number;
}

export interface FuzzOptions {
  readonly coordinator: CoordinatorProcess;
  /** Token; null: none is sent. */
  readonly token: string | null;
  readonly seed: number;
  readonly messageCount: number;
}

/** Sends mutated and random messages to one method in many concurrent calls. @throws {Error} when the coordinator dies. */
export async function fuzzMethod(
  { coordinator, token, seed, messageCount }: FuzzOptions,
  method: RawMethod,
  others: readonly Uint8Array[],
): Promise<MethodFindings> {
  const mutator = new Mutator(seed, method.path);
  const clients = Array.from({ length: CLIENTS }, () => new RawClient(coordinator.address, token));
  const codes = new Map<string, number>();
  const faults: string[] = [];
  const begin = performance.now();
  let sentCount = 0;
  let highestBytes = 0;
  const next = (): Buffer => {
    sentCount += 1;
    return mutator.next(method.samples, others);
  };
  const work = async (client: RawClient): Promise<void> => {
    while (sentCount < messageCount) {
      const answer = await client.call(method, next);
      const code = codeOf(answer);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      const isFault = code === 'INTERNAL' || code === 'UNKNOWN' || INTERNALS.test(answer.text);
      if (isFault && faults.length < 5) faults.push(`${method.path}: ${code} ${answer.text.slice(0, 500)}`);
      if (sentCount % 256 < CONCURRENCY) highestBytes = Math.max(highestBytes, coordinator.residentBytes);
      if (!coordinator.isAlive) throw new Error(`The coordinator died at message ${sentCount} to ${method.path}.`);
    }
  };
  try {
    await Promise.all(
      Array.from({ length: CONCURRENCY }, (_, index) => work(clients[index % CLIENTS] ?? unreachable())),
    );
  } finally {
    for (const client of clients) client.close();
  }
  const seconds = (performance.now() - begin) / 1_000;
  return { path: method.path, hasToken: token !== null, messageCount: sentCount, seconds, codes, faults, highestBytes };
}

function codeOf({ code, text }: RawAnswer): string {
  return code === 'INTERNAL' && UNREADABLE.test(text) ? 'UNREADABLE' : code;
}

function unreachable(): never {
  throw new Error('unreachable');
}

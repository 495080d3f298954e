import { RateLimitedError } from '../../../core/errors.ts';

/** Retry-after for clients that must read first. It is a guess: when they will read is unknown. */
const RETRY_MS = 1_000;
/** Answers up to this size are not refused because of other connections' unread answers. */
const SMALL_BYTES = 64 * 1024;

export interface UnreadAnswersOptions {
  /** Limit of one connection. */
  readonly maxBytesPerConnection: number;
  /** Limit of all connections together. */
  readonly maxBytes: number;
}

/**
 * Counts the bytes of answers that clients have not read: HTTP/2 keeps an answer in memory until its client reads it, and a
 * connection may have many calls.
 */
export class UnreadAnswers {
  readonly #options: UnreadAnswersOptions;
  readonly #byConnection = new Map<string, number>();
  #bytes = 0;

  constructor(options: UnreadAnswersOptions) {
    this.#options = options;
  }

  /** Unread bytes of all connections. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Counts an answer.
   *
   * @param connection address and port of the client
   * @returns a function to call when the client has read the answer or disconnected
   * @throws RateLimitedError if the answer would exceed a limit
   */
  add(connection: string, byteCount: number): () => void {
    const { maxBytesPerConnection, maxBytes } = this.#options;
    const own = this.#byConnection.get(connection) ?? 0;
    if (own + byteCount > maxBytesPerConnection) {
      const most = `A connection may leave ${maxBytesPerConnection} bytes of answers unread`;
      throw new RateLimitedError(`${most}; ${own} wait, and the next answer has ${byteCount}.`, RETRY_MS);
    }
    if (byteCount > SMALL_BYTES && this.#bytes + byteCount > maxBytes) {
      const most = `All connections together may leave ${maxBytes} bytes of answers unread`;
      throw new RateLimitedError(`${most}; ${this.#bytes} wait, and the next answer has ${byteCount}.`, RETRY_MS);
    }
    this.#byConnection.set(connection, own + byteCount);
    this.#bytes += byteCount;
    return () => {
      const left = (this.#byConnection.get(connection) ?? byteCount) - byteCount;
      if (left === 0) this.#byConnection.delete(connection);
      else this.#byConnection.set(connection, left);
      this.#bytes -= byteCount;
    };
  }
}

import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { InvalidRequestError } from '../../../core/errors.ts';
import { EncodedMessage } from '../../../platform/rpc/encoded-message.ts';
import type { Page } from '../../store/page.ts';
import type { LongAnswers } from './long-answers.ts';
import { fitMessage } from './shorten-message.ts';
import type { Encoder } from './shorten-message.ts';

/** Size at which a page closes, far below the 4 MiB of a message. */
const PAGE_BYTES = 1024 * 1024;
/** Rows of the first read, when their size is unknown. Later slices have at most ten times as many. */
const FIRST_SLICE = 20;
const LARGEST_SLICE = 200;

export interface ListRequest<T, M, K> {
  readonly after: K | null;
  readonly limit: number;
  /** Field number of the response's repeated field. */
  readonly field: number;
  readonly fetch: (after: K | null, limit: number) => Promise<Page<T, K>>;
  readonly toProto: (item: T) => M;
  readonly encoder: Encoder<M>;
  /** Most rows of one read. Larger than the default where the cost of a read does not depend on its size. */
  readonly largestSlice?: number;
}

/** A page of entries, encoded as the response's repeated field, with the key of the next page. */
export interface EncodedList<K> {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly next: K | null;
}

/** Returns the response of a list: its encoded entries followed by its other fields. */
export function answerWith<M>(
  { bytes }: { readonly bytes: Uint8Array },
  response: Encoder<M> & { fromPartial(fields: Partial<M>): M },
  fields: Partial<M>,
): EncodedMessage {
  return new EncodedMessage(Buffer.concat([bytes, response.encode(response.fromPartial(fields)).finish()]));
}

/**
 * Checks a page of a list whose entries are never removed: a page token that the list issued always has entries after it.
 *
 * @throws InvalidRequestError when a request with a token has no entries
 */
export function requireEntries(page: { readonly count: number }, request: { readonly after: unknown }): void {
  if (page.count > 0 || request.after === null) return;
  const description = 'is beyond the end of the list; send the next_page_token of the page before.';
  throw new InvalidRequestError([{ field: 'page_token', description }]);
}

/**
 * Reads and encodes a page of a list in slices. The page closes by bytes as well as by entries, and few rows are read that do not
 * fit. An entry larger than a message is shortened, so that the rest of the list can still be read.
 */
export async function encodeList<T, M, K>(
  answers: LongAnswers,
  request: ListRequest<T, M, K>,
): Promise<EncodedList<K>> {
  const { limit, field, fetch, toProto, encoder } = request;
  const writer = new BinaryWriter();
  let after = request.after;
  let count = 0;
  let bytes = 0;
  let slice = FIRST_SLICE;
  for (;;) {
    const page = await fetch(after, Math.min(slice, limit - count));
    await answers.turn();
    let taken = 0;
    for (const item of page.items) {
      const encoded = fitMessage(toProto(item), encoder);
      if (count > 0 && bytes + encoded.length > PAGE_BYTES) break;
      writer.uint32((field << 3) | 2).bytes(encoded);
      bytes += encoded.length;
      count += 1;
      taken += 1;
    }
    if (taken < page.items.length) {
      // Only the list knows the key of the last entry that fits.
      const next = taken === 0 ? after : (await fetch(after, taken)).next;
      return { bytes: writer.finish(), count, next };
    }
    after = page.next;
    if (after === null || count >= limit) return { bytes: writer.finish(), count, next: after };
    const room = Math.ceil((PAGE_BYTES - bytes) / Math.max(1, bytes / count));
    slice = Math.min(request.largestSlice ?? LARGEST_SLICE, Math.max(1, room));
  }
}

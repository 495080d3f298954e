import { once } from 'node:events';
import { connect } from 'node:net';
import { createStream } from '../../services/core/rng/stream.ts';
import type { RandomStream } from '../../services/core/rng/stream.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const MAX_FRAME_BYTES = 16_384;
/** Time to wait for an answer: a server that awaits the rest of a frame sends none. */
const PATIENCE_MS = 50;
const CONCURRENCY = 32;

/** Opens connections that send no HTTP/2, or invalid HTTP/2, in several concurrent sequences. */
export async function sendGarbage(address: string, seed: number, connectionCount: number): Promise<void> {
  const random = createStream('http2 garbage', seed);
  let openedCount = 0;
  const work = async (): Promise<void> => {
    while (openedCount < connectionCount) {
      openedCount += 1;
      await sendOnce(address, garbage(random));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
}

function garbage(random: RandomStream): Buffer {
  switch (random.int(6)) {
    case 0:
      return bytes(random, random.int(2_000));
    case 1:
      return Buffer.from(`GET /${'a'.repeat(random.int(100_000))} HTTP/1.1\r\nHost: x\r\n\r\n`);
    case 2:
      return PREFACE.subarray(0, random.int(PREFACE.length));
    case 3:
      return Buffer.concat([PREFACE, EMPTY_SETTINGS, ...frames(random, 50, 2)]);
    case 4:
      // Streams that are opened and reset immediately.
      return Buffer.concat([PREFACE, EMPTY_SETTINGS, ...rapidResets(200)]);
    default:
      return Buffer.concat([PREFACE, EMPTY_SETTINGS, ...frames(random, 20, 12)]);
  }
}

/** Returns random frames. @param typeCount number of frame types, from DATA on; HTTP/2 has ten. */
function frames(random: RandomStream, count: number, typeCount: number): Buffer[] {
  return Array.from({ length: count }, () => {
    const payload = bytes(random, random.int(random.uniform() < 0.1 ? MAX_FRAME_BYTES : 64));
    // One length in ten differs from the payload's.
    const length = random.uniform() < 0.1 ? random.int(2 ** 24) : payload.length;
    return Buffer.concat([header(length, random.int(typeCount), random.int(256), random.int(16)), payload]);
  });
}

function rapidResets(count: number): Buffer[] {
  // ":method: POST" and ":path: /" of HPACK's static table: enough to open a stream.
  const block = Buffer.from([0x83, 0x84, 0x86]);
  return Array.from({ length: count }, (_, index) => {
    const stream = 2 * index + 1;
    return Buffer.concat([
      header(block.length, 1, 0x4, stream),
      block,
      header(4, 3, 0, stream),
      Buffer.from([0, 0, 0, 8]),
    ]);
  });
}

function header(length: number, type: number, flags: number, stream: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUIntBE(length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  return bytes;
}

function bytes(random: RandomStream, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.int(256)));
}

/** Sends all bytes and waits until the server closes the connection, or a moment. */
async function sendOnce(address: string, content: Buffer): Promise<void> {
  const separator = address.lastIndexOf(':');
  const socket = connect(Number(address.slice(separator + 1)), address.slice(0, separator));
  socket.on('error', () => undefined);
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
  socket.on('connect', () => socket.write(content));
  socket.resume();
  await once(socket, 'close').catch(() => undefined);
  clearTimeout(timer);
}

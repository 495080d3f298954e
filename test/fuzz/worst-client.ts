import process from 'node:process';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { worstRequests } from './worst-requests.ts';
import type { WorstRequest } from './worst-requests.ts';

/** Deadline after which a call counts as unanswered. */
const DEADLINE_MS = 60_000;

/**
 * A hostile client in a separate process, so that its work is not measured. It sends one costly request after the other on several
 * connections until its input ends, then prints the results of the calls.
 *
 * Arguments: address, sweep, runs of the largest sweeps, number of connections.
 */
async function main([address = '', sweepId = '', runCount = '', clientCount = '']: readonly string[]): Promise<void> {
  const requests = worstRequests(sweepId, Number(runCount));
  const ended: Record<string, number> = {};
  let isOver = false;
  const clients = Array.from({ length: Number(clientCount) }, () => {
    return new Client(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': 16 * 1024 * 1024,
    });
  });
  process.stdin.on('end', () => {
    isOver = true;
    for (const client of clients) client.close();
  });
  process.stdin.resume();
  const work = async (client: Client, index: number): Promise<void> => {
    for (let next = index; !isOver; next += 1) {
      const request = requests[next % requests.length];
      if (request === undefined) return;
      const key = `${request.name} ${await send(client, request)}`;
      ended[key] = (ended[key] ?? 0) + 1;
    }
  };
  await Promise.all(clients.map(work));
  process.stdout.write(`${JSON.stringify(ended)}\n`);
}

function send(client: Client, { path, isStream, bytes }: WorstRequest): Promise<string> {
  const options = { deadline: Date.now() + (isStream ? 2_000 : DEADLINE_MS) };
  const args = [path, asIs, asIs, Buffer.from(bytes), new Metadata(), options] as const;
  return new Promise((resolve) => {
    if (!isStream) {
      client.makeUnaryRequest(...args, (error) => resolve(error === null ? 'OK' : status[error.code]));
      return;
    }
    const stream = client.makeServerStreamRequest(...args);
    stream.on('data', () => undefined);
    stream.on('error', (error: ServiceError) => resolve(status[error.code]));
    stream.on('end', () => resolve('OK'));
  });
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

await main(process.argv.slice(2));

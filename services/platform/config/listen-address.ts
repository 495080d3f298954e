import { z } from 'zod';

/** A setting that says where to listen: `host:port`, IPv6 in brackets, port 0 for any free one. */
export function listenAddress(): z.ZodString {
  return z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'must be host:port, for example 0.0.0.0:50051')
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must have a port up to 65535');
}

/** @param listen as `listenAddress` lets it through. */
export function splitListenAddress(listen: string): { readonly host: string; readonly port: number } {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(listen.slice(colon + 1)) };
}

/**
 * Returns whether traffic to this host stays on the machine.
 *
 * @param host name or address; IPv6 without brackets.
 */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Whether what is sent to this host stays on the machine.
 *
 * @param host a name or an address, IPv6 without its brackets.
 */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(host);
}

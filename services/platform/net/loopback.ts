/** Returns whether a coordinator's address (`host:port`, `dns:host:port`, `dns:///host:port` or `unix:path`) is on this machine. */
export function isLocalAddress(address: string): boolean {
  return address.startsWith('unix:') || isLoopbackHost(hostOf(address));
}

function hostOf(address: string): string {
  const name = address.replace(/^dns:\/*/, '');
  return name.slice(0, name.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}

/**
 * Returns whether traffic to this host stays on the machine.
 *
 * @param host name or address; IPv6 without brackets.
 */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(host);
}

/** Reasons of grpc-js and OpenSSL for a missing connection, with a sentence for a person; `$1` is the address or name. */
const REASONS: readonly (readonly [pattern: RegExp, sentence: string])[] = [
  [/ECONNREFUSED (\S+)/, '$1 refuses the connection: no process listens there'],
  [/(?:ENETUNREACH|EHOSTUNREACH) (\S+)/, '$1 is not reachable from this machine: check the network'],
  [/ETIMEDOUT (\S+)/, '$1 does not answer: check the address and the firewall'],
  [/ENOENT (\S+)/, 'there is no socket $1'],
  [/EACCES (\S+)/, 'this account may not connect to $1'],
  [/Name resolution failed for target (?:\w+:)?(\S+)/, "the name in $1 can't be resolved: check its spelling"],
  [/wrong version number|packet length too long|record layer failure/i, 'the address answers, but without TLS'],
  [
    /self[- ]signed certificate|unable to (?:get|verify)|UNABLE_TO_/i,
    'TLS: the authority of its certificate is not trusted; name that authority with --tls-ca (GRAFT_TLS_CA)',
  ],
  [/certificate has expired/i, 'TLS: its certificate has expired'],
  [/altnames?: (.+)/, 'TLS: its certificate is for another name: $1'],
  [/ECONNRESET|socket hang up|EPIPE|Connection dropped|disconnected before/i, 'the connection was closed at once'],
  [
    /Protocol error|ERR_HTTP2|Received HTTP status code|^Failed to connect/i,
    'the address answers, but not as a coordinator',
  ],
];

/**
 * Returns the details of a failed call without the notes of grpc-js on name resolution and without raw errno, if they describe a
 * missing connection; other details are returned unchanged.
 */
export function describeConnection(details: string): string {
  const plain = details
    .replace(/\s*Resolution note:[\s\S]*$/, '')
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .trim();
  for (const [pattern, sentence] of REASONS) {
    const found = pattern.exec(plain);
    if (found !== null) return sentence.replace('$1', (found[1] ?? '').replace(/[.,]$/, ''));
  }
  return plain.replace(/\.$/, '');
}

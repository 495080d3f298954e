const SHOWN = '[redacted]';

// Names and schemes have a greatest length, so that a line that was made for it can't take quadratic time.

/** `"name":"value"` of JSON where the name says that the value is secret; `token_id` and `token_name` are none. */
const NAMED =
  /"([^"\\]{0,60}(?:password|passwd|secret|authorization|cookie|credential)[^"\\]{0,60}|(?:[^"\\]{0,60}[_-])?token|[^"\\]{1,60}Token)":"(?:[^"\\]|\\.)*"/gi;
/** Tokens of Graft, wherever they stand. */
const TOKEN = /graft_[A-Za-z0-9_-]{43}/g;
/** `Bearer …` and `Basic …` of HTTP. */
const SCHEME = /\b(Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}/gi;
/** The password of `scheme://user:password@host`; it may hold anything but blanks, quotes and slashes. */
const USER_INFO = /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@"]{0,200}):[^\s"/]{1,1000}@/gi;
/** PostgreSQL's other form of connection strings. */
const KEYWORD = /\b(password|sslpassword)=('[^']*'|[^\s"&']+)/gi;
/** Of AWS: signatures and session tokens in signed addresses. */
const SIGNATURE = /\b(X-Amz-(?:Signature|Credential|Security-Token))=[^\s"&]+/gi;

/**
 * Cuts secrets out of a line of the log: by the name they have in JSON at any depth, and by their form within texts, for
 * example in the message of an error that quotes an address. A line is one JSON object; it stays one.
 */
export function redact(line: string): string {
  return line
    .replace(NAMED, `"$1":"${SHOWN}"`)
    .replace(TOKEN, `graft_${SHOWN}`)
    .replace(SCHEME, `$1 ${SHOWN}`)
    .replace(USER_INFO, `$1:${SHOWN}@`)
    .replace(KEYWORD, `$1=${SHOWN}`)
    .replace(SIGNATURE, `$1=${SHOWN}`);
}

const SHOWN = '[redacted]';

// The length of names and schemes is limited, so that a crafted line can't take quadratic time.

/** `"name":"value"` in JSON, where the name marks the value as secret; `token_id` and `token_name` are not secret. */
const NAMED =
  /"([^"\\]{0,60}(?:password|passwd|secret|authorization|cookie|credential)[^"\\]{0,60}|(?:[^"\\]{0,60}[_-])?token|[^"\\]{1,60}Token)":"(?:[^"\\]|\\.)*"/gi;
/** Tokens of Graft anywhere in the line. */
const TOKEN = /graft_[A-Za-z0-9_-]{43}/g;
/** `Bearer …` and `Basic …` of HTTP. */
const SCHEME = /\b(Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}/gi;
/** The password in `scheme://user:password@host`; it may contain anything but blanks, quotes and slashes. */
const USER_INFO = /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@"]{0,200}):[^\s"/]{1,1000}@/gi;
/** PostgreSQL's keyword form of connection strings. */
const KEYWORD = /\b(password|sslpassword)=('[^']*'|[^\s"&']+)/gi;
/** Signatures and session tokens in signed AWS URLs. */
const SIGNATURE = /\b(X-Amz-(?:Signature|Credential|Security-Token))=[^\s"&]+/gi;

/**
 * Redacts the secrets in a log line: by their JSON name at any depth, and by their form within strings, for example in
 * an error message that quotes an address. A line is one JSON object, and remains one.
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

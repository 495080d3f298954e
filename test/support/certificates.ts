import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

/** A certificate with its private key, in PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Host names and IPv4 addresses of a server; the first is the subject. */
  readonly names: readonly string[];
  /** Start of the validity; default: an hour ago. */
  readonly from?: Date;
  /** End of the validity; default: in thirty days. */
  readonly to?: Date;
}

const DAY_MS = 86_400_000;

/** Issues certificates (P-256, SHA-256) for tests. It uses only `node:crypto`, because not every machine has openssl. */
export class TestAuthority {
  /** Certificate of the authority, which others trust. */
  readonly certificate: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;

  constructor(name = 'Test authority') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#name = distinguishedName(name);
    this.#key = privateKey;
    const extensions = [extension('551d13', sequence(boolean(true))), extension('551d0f', bits(0x06))];
    this.certificate = this.#sign(this.#name, publicKey, validity(), extensions);
  }

  issue(options: CertificateOptions): Issued {
    const { names, from, to } = options;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const alternatives = names.map((name) =>
      isIP(name) === 4 ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name)),
    );
    const uses = sequence(oid('2b06010505070301'), oid('2b06010505070302'));
    const extensions = [extension('551d25', uses), extension('551d11', sequence(...alternatives))];
    return {
      certificate: this.#sign(distinguishedName(names[0] ?? ''), publicKey, validity(from, to), extensions),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }

  #sign(subject: Buffer, publicKey: KeyObject, valid: Buffer, extensions: readonly Buffer[]): string {
    const algorithm = sequence(oid('2a8648ce3d040302'));
    const toBeSigned = sequence(
      der(0xa0, der(0x02, Buffer.of(2))),
      der(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])),
      algorithm,
      this.#name,
      valid,
      subject,
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', toBeSigned, this.#key);
    const certificate = sequence(toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
    const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

export interface CertificatePaths {
  readonly certificate: string;
  readonly key: string;
}

/** Writes `<name>.crt` and `<name>.key`, replacing existing files. */
export function writeCertificate(folder: string, name: string, { certificate, key }: Issued): CertificatePaths {
  const paths = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  writeFileSync(paths.certificate, certificate);
  writeFileSync(paths.key, key, { mode: 0o600 });
  return paths;
}

function validity(from = new Date(Date.now() - DAY_MS / 24), to = new Date(Date.now() + 30 * DAY_MS)): Buffer {
  // UTCTime has a year of two digits.
  const time = (date: Date): Buffer => {
    const text = date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
    return der(0x17, Buffer.from(`${text}Z`));
  };
  return sequence(time(from), time(to));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(commonName)))));
}

function extension(identifier: string, value: Buffer): Buffer {
  return sequence(oid(identifier), der(0x04, value));
}

function bits(byte: number): Buffer {
  return der(0x03, Buffer.of(1, byte));
}

function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.of(value ? 0xff : 0));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** Encodes tag, length, content (X.690). */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  const size = Buffer.from(length < 0x80 ? [length] : long);
  return Buffer.concat([Buffer.of(tag), size, content]);
}

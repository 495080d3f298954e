import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { experimental } from '@grpc/grpc-js';
import { ConfigError } from '../../config/read-config.ts';
import { fileProblem } from '../../files/file-problem.ts';
import type { Logger } from '../../telemetry/logger.ts';

/** A file and the setting that names it, for messages. */
export interface NamedFile {
  readonly path: string;
  readonly setting: string;
}

/** PEM files of one side of a connection. */
export interface CertificateFilesOptions {
  /** Certificate of this side (followed by its intermediates) and its private key; null: none. */
  readonly identity: { readonly certificate: NamedFile; readonly key: NamedFile } | null;
  /** Authorities that this side trusts; null: peers need no certificate. */
  readonly ca: NamedFile | null;
  readonly log: Logger;
  /** Poll interval of the files. Kubernetes itself takes about a minute to update a changed secret. */
  readonly intervalMs?: number;
}

interface Contents {
  readonly identity: experimental.IdentityCertificateUpdate | null;
  readonly ca: experimental.CaCertificateUpdate | null;
}

const INTERVAL_MS = 2_000;
const DAY_MS = 86_400_000;
const WARN_DAYS = 7;

/**
 * Certificates that follow their files: new connections use the current contents, open connections continue. An unusable change
 * (a certificate without its key, a partly written file) is logged, and the last good state stays in use. grpc-js' own
 * `FileWatcherCertificateProvider` passes on invalid contents and then accepts no connection; its timer also keeps the
 * process alive.
 */
export class CertificateFiles implements experimental.CertificateProvider {
  readonly #options: CertificateFilesOptions;
  readonly #caListeners = new Set<experimental.CaCertificateUpdateListener>();
  readonly #identityListeners = new Set<experimental.IdentityCertificateUpdateListener>();
  #contents: Contents;
  #timer: NodeJS.Timeout | null = null;
  #lastProblem: string | null = null;

  /** @throws ConfigError naming the setting and the file of every mistake. */
  constructor(options: CertificateFilesOptions) {
    this.#options = options;
    this.#contents = understand(options, (file) => readFileSync(file.path));
    this.#warnOfExpiry();
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#caListeners.add(listener);
    // Deferred: grpc-js registers its own listeners after this call.
    process.nextTick(() => listener(this.#contents.ca));
    this.#watch();
  }

  removeCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    this.#caListeners.delete(listener);
    this.#watch();
  }

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.add(listener);
    process.nextTick(() => listener(this.#contents.identity));
    this.#watch();
  }

  removeIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#identityListeners.delete(listener);
    this.#watch();
  }

  /** Reads the files now; returns true if they have changed and are usable. */
  async reload(): Promise<boolean> {
    const contents = await this.#read();
    if (contents === null || isSame(contents, this.#contents)) return false;
    this.#contents = contents;
    for (const listener of this.#identityListeners) listener(contents.identity);
    for (const listener of this.#caListeners) listener(contents.ca);
    this.#options.log.info({ files: pathsOf(this.#options) }, 'certificates have changed; new connections use them');
    this.#warnOfExpiry();
    return true;
  }

  async #read(): Promise<Contents | null> {
    try {
      const read = await readAll(this.#options);
      const contents = understand(this.#options, (file) => resultOf(read.get(file.path)));
      this.#lastProblem = null;
      return contents;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      // Logged once for each state of the files, not at every poll.
      const problem = error.problems.join(' ');
      if (problem !== this.#lastProblem) {
        this.#options.log.warn({ reason: problem }, 'changed certificates can not be used; the last good ones stay');
      }
      this.#lastProblem = problem;
      return null;
    }
  }

  /** Polls the files while there are listeners. */
  #watch(): void {
    const isWanted = this.#caListeners.size + this.#identityListeners.size > 0;
    if (!isWanted) {
      clearInterval(this.#timer ?? undefined);
      this.#timer = null;
    } else if (this.#timer === null) {
      this.#timer = setInterval(() => void this.reload(), this.#options.intervalMs ?? INTERVAL_MS);
      this.#timer.unref();
    }
  }

  /** Expiry of this side's certificate; null: it has none. */
  get expires(): Date | null {
    const { identity } = this.#contents;
    return identity === null ? null : new Date(new X509Certificate(identity.certificate).validTo);
  }

  #warnOfExpiry(): void {
    const { expires } = this;
    if (expires === null) return;
    const days = (expires.getTime() - Date.now()) / DAY_MS;
    if (days > WARN_DAYS) return;
    const fields = { files: pathsOf(this.#options), expires: expires.toISOString() };
    if (days < 0) this.#options.log.error(fields, 'the certificate has expired; the other side will refuse it');
    else this.#options.log.warn(fields, 'the certificate expires soon');
  }
}

function pathsOf({ identity, ca }: CertificateFilesOptions): string[] {
  return filesOf({ identity, ca }).map(({ path }) => path);
}

function filesOf({ identity, ca }: Pick<CertificateFilesOptions, 'identity' | 'ca'>): NamedFile[] {
  return [...(identity === null ? [] : [identity.certificate, identity.key]), ...(ca === null ? [] : [ca])];
}

async function readAll(options: CertificateFilesOptions): Promise<ReadonlyMap<string, PromiseSettledResult<Buffer>>> {
  const paths = pathsOf(options);
  const results = await Promise.allSettled(paths.map((path) => readFile(path)));
  return new Map(results.map((result, index) => [paths[index] ?? '', result]));
}

function resultOf(result: PromiseSettledResult<Buffer> | undefined): Buffer {
  if (result?.status === 'fulfilled') return result.value;
  throw result?.reason ?? new Error('was not read');
}

/** @throws ConfigError with all mistakes. */
function understand(
  { identity, ca }: Pick<CertificateFilesOptions, 'identity' | 'ca'>,
  read: (file: NamedFile) => Buffer,
): Contents {
  const problems: string[] = [];
  const take = <T>(file: NamedFile, what: string, parse: (pem: Buffer) => T): { pem: Buffer; value: T } | null => {
    try {
      const pem = read(file);
      return { pem, value: parse(pem) };
    } catch (error) {
      const unread = fileProblem(error);
      const problem = unread === null ? `is not ${what}: ${(error as Error).message}` : unread.clause;
      problems.push(`${file.setting}: ${file.path} ${problem}.`);
      return null;
    }
  };
  const authority = ca === null ? null : take(ca, 'a PEM file of certificates', parseCertificates);
  const certificate =
    identity && take(identity.certificate, 'a PEM certificate, with the intermediate ones after it', parseCertificates);
  const key = identity && take(identity.key, 'a PEM private key without a passphrase', (pem) => createPrivateKey(pem));
  if (identity && certificate && key && certificate.value[0]?.checkPrivateKey(key.value) === false) {
    problems.push(
      `${identity.key.setting}: ${identity.key.path} is not the private key of the certificate in ${identity.certificate.path}.`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    identity: certificate && key && { certificate: certificate.pem, privateKey: key.pem },
    ca: authority && { caCertificate: authority.pem },
  };
}

function parseCertificates(pem: Buffer): readonly X509Certificate[] {
  const blocks = pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('it has no block BEGIN CERTIFICATE');
  return blocks.map((block) => new X509Certificate(block));
}

function isSame(a: Contents, b: Contents): boolean {
  return (
    bytesOf(a.identity?.certificate).equals(bytesOf(b.identity?.certificate)) &&
    bytesOf(a.identity?.privateKey).equals(bytesOf(b.identity?.privateKey)) &&
    bytesOf(a.ca?.caCertificate).equals(bytesOf(b.ca?.caCertificate))
  );
}

function bytesOf(buffer: Buffer | undefined): Buffer {
  return buffer ?? Buffer.alloc(0);
}

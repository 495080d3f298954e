import { EnvHttpProxyAgent, fetch } from 'undici';

/** Returns whether a file can be downloaded from an address now: the server answers a HEAD request in time and has the file. */
export async function isReachable(url: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const dispatcher = new EnvHttpProxyAgent();
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const response = await fetch(url, { method: 'HEAD', signal: within, dispatcher });
    return response.ok;
  } catch {
    return false;
  } finally {
    await dispatcher.destroy();
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { pythonVenv } from './python-venv.ts';

export interface S3Server extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
}

/** Package of the `moto` server: real HTTP with the answers of S3, including conditional writes and unfinished uploads. */
const PACKAGES = ['moto[server]==5.2.5'];
const PROGRAM = `
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()
`;

/** Starts an S3 server that keeps everything in memory. Returns a reason if this machine can't run one. */
export async function startS3Server(): Promise<S3Server | { readonly reason: string }> {
  const venv = await pythonVenv({ name: 's3-venv', packages: PACKAGES, skipVariable: 'GRAFT_SKIP_S3' });
  if ('reason' in venv) return venv;
  const server = spawn(venv.python, ['-c', PROGRAM], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await Promise.race([
    once(createInterface(server.stdout), 'line'),
    once(server, 'exit').then(([code]) => [`exit code ${String(code)}`]),
  ])) as [string];
  if (!/^\d+$/.test(line)) return { reason: `the S3 server did not start: ${line}` };
  return {
    endpoint: `http://127.0.0.1:${line}`,
    [Symbol.asyncDispose]: async () => {
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
    },
  };
}

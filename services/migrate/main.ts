import { migrate } from './migrate.ts';

process.exitCode = await migrate(process.argv.slice(2), process.env, {
  out: (line) => console.log(line),
  error: (line) => console.error(line),
});

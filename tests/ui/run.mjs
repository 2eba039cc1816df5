// Builds the window over made-up data, serves it on a free port of this computer, and runs the browser tests against it.
// These are named by feature, as in ui/src/features, or by what goes through all of them (app, keyboard, small-window):
// journeys are what a user does, axe looks every screen over, steps are ways that both go.
// Words choose files by name: npm run ui:browser -- restore
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, extname, join, normalize } from 'node:path';

const root = new URL('../..', import.meta.url).pathname;
const site = join(root, 'target/ui-mock');
const chromium = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => existsSync(file));

if (!chromium) {
  console.log('skipped: browser tests of the window: no Chromium found (set CHROMIUM to its path)');
  process.exit(0);
}
const build = spawnSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--mode', 'mock', '--logLevel', 'warn'], { cwd: root, stdio: 'inherit' });
if (build.status !== 0) process.exit(build.status ?? 1);

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
  try {
    const body = await readFile(join(site, path));
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}/mock.html`;
const files = readdirSync(join(root, 'tests/ui')).filter((name) => name.endsWith('.test.mjs')).map((name) => join(root, 'tests/ui', name));
const only = process.argv.slice(2);
const chosen = only.length ? files.filter((file) => only.some((word) => basename(file).includes(word))) : files;
const tests = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...chosen], { cwd: root, stdio: 'inherit', env: { ...process.env, UI_URL: url, CHROMIUM: chromium } });
tests.on('exit', (code) => {
  server.close();
  process.exit(code ?? 1);
});

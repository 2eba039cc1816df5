// Written for old versions of Node too (Debian 12 has 18, Ubuntu 22.04 has 12): it is what finds a newer one.
import { spawnSync } from 'child_process';
import { existsSync } from 'fs';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const NEEDED = [20, 19];
const FETCHED = '22';

function newEnough() {
  const parts = process.versions.node.split('.').map(Number);
  return parts[0] > NEEDED[0] || (parts[0] === NEEDED[0] && parts[1] >= NEEDED[1]);
}

/** Returns only where Node is new enough; otherwise fetches a newer one below target/ and runs the script with that. */
export function ensureNode(script) {
  if (newEnough()) return;
  const folder = join(root, 'target/node');
  const binary = join(folder, 'node_modules/node/bin/node');
  if (!existsSync(binary)) {
    console.log('Node ' + process.versions.node + ' is older than ' + NEEDED.join('.') + '; fetching Node ' + FETCHED + ' into target/node for this folder only');
    const fetched = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder, 'node@' + FETCHED], { stdio: 'inherit' });
    if (fetched.status !== 0 || !existsSync(binary)) {
      console.error('Cannot fetch a newer Node. Install Node ' + NEEDED.join('.') + ' or newer (https://nodejs.org), then try again.');
      process.exit(1);
    }
  }
  const path = dirname(binary) + ':' + process.env.PATH;
  const args = [script].concat(process.argv.slice(2));
  const run = spawnSync(binary, args, { stdio: 'inherit', env: Object.assign({}, process.env, { PATH: path }) });
  process.exit(run.status === null ? 1 : run.status);
}

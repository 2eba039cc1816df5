// Builds what the slow tests need, once, outside the repository, then runs the tests marked as slow, and those with Garage and moto.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensureFtpServers } from './ftp-servers.mjs';
import { ROOT, ensurePackages, ensureRust, say } from './system.mjs';
import { spawnSync } from 'node:child_process';

const GARAGE = '2.5.0';

/** Garage, an S3 engine of its own: built for tests only (its licence is AGPL; nothing of it goes into Backstay). */
function ensureGarage() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const tools = join(cache, 'backstay', 'tools');
  const program = join(tools, 'garage');
  if (existsSync(program)) return;
  say(`Building Garage ${GARAGE} (once, about ten minutes)…`);
  mkdirSync(tools, { recursive: true });
  const root = join(tools, 'build');
  const built = spawnSync('cargo', ['install', `garage@${GARAGE}`, '--locked', '--root', root], {
    cwd: tools,
    stdio: 'inherit',
    env: { ...process.env, CARGO_TARGET_DIR: join(root, 'target'), CARGO_PROFILE_RELEASE_OPT_LEVEL: '1', CARGO_PROFILE_RELEASE_LTO: 'off' },
  });
  if (built.status === 0) copyFileSync(join(root, 'bin', 'garage'), program);
  else say('skipped: Garage could not be built; its tests say so');
}

/** Runs the slow tests; returns the exit code. */
export async function main() {
  if (!ensurePackages('base', 'window', 'lab') || !ensureRust()) return 1;
  ensureGarage();
  if (process.platform === 'linux') ensureFtpServers();
  const test = ['test', '--workspace', '--exclude', 'backstay-app', '--no-fail-fast', '--'];
  // Those with servers of others are a part of npm test where these are to be had, and are here by now.
  const passes = [['--ignored', '--nocapture'], ['lab_', '--nocapture']];
  const failed = passes.filter((args) => spawnSync('cargo', [...test, ...args], { cwd: ROOT, stdio: 'inherit' }).status !== 0);
  return failed.length > 0 ? 1 : 0;
}

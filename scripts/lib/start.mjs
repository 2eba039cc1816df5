// What npm start does once Node is new enough.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT, ensureNodeModules, ensurePackages, ensureRust, hasDisplay, run, say, targetFolder } from './system.mjs';

const USAGE = `npm start                   builds what changed and opens Backstay
npm start -- --build-only   builds, opens nothing
npm start -- --demo         runs the main job by the command line on this computer, even where there is a display`;

/** Runs it; returns the exit code. */
export function main(args) {
  if (args.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  if (args.includes('--demo') || (!hasDisplay() && !args.includes('--build-only'))) return demo(args);
  if (!ensurePackages('base', 'window') || !ensureRust() || !ensureNodeModules()) return 1;
  say('Building Backstay (the first time takes about ten minutes on two cores, later seconds)');
  if (!run('npm', ['exec', 'tauri', '--', 'build', '--no-bundle'])) return 1;
  const app = join(targetFolder(), 'release', process.platform === 'win32' ? 'backstay-app.exe' : 'backstay-app');
  say(`Built ${app}`);
  if (args.includes('--build-only')) return 0;
  const result = spawnSync(app, [], { cwd: ROOT, stdio: 'inherit' });
  return result.status ?? 1;
}

/** The same main job without a window: a folder into a vault, looked at, restored, compared. */
function demo(args) {
  if (!args.includes('--demo')) {
    say('There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can be shown.');
    console.log('Running the main job by the command line instead: a folder into a vault, looked at, restored, compared.\n');
  }
  if (!ensurePackages('base') || !ensureRust()) return 1;
  say('Building the command line (the first time takes some minutes)');
  if (!run('cargo', ['build', '--release', '-p', 'backstay-cli'])) return 1;
  const cli = join(targetFolder(), 'release', process.platform === 'win32' ? 'backstay.exe' : 'backstay');
  const result = spawnSync(cli, ['demo'], { cwd: ROOT, stdio: 'inherit' });
  if (result.status === 0) console.log(`\nThe command line is ${cli}; try: ${cli} --help`);
  return result.status ?? 1;
}

// Runs the journeys against the real window: on a display, a message bus and a keyring of their own.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const only = process.argv.slice(2);
const files = readdirSync(here)
  .filter((name) => name.endsWith('.e2e.mjs') && (only.length === 0 || only.some((part) => name.includes(part))))
  .sort()
  .map((name) => join(here, name));

// The keyring and the desktop's own files go into a folder of their own, so that a developer's are left alone.
const folder = mkdtempSync(join(tmpdir(), 'backstay-e2e-session-'));
mkdirSync(join(folder, 'run'), { mode: 0o700 });
mkdirSync(join(folder, 'data'));
const inner = [
  'printf lab | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1',
  'node --test --test-concurrency=1 --test-reporter=tap "$@"',
].join('\n');
const result = spawnSync(
  'xvfb-run',
  ['-a', '-s', '-screen 0 1280x800x24', 'dbus-run-session', '--', 'bash', '-c', inner, 'journeys', ...files],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      XDG_RUNTIME_DIR: join(folder, 'run'),
      XDG_DATA_HOME: join(folder, 'data'),
      NO_AT_BRIDGE: '1',
    },
  },
);
rmSync(folder, { recursive: true, force: true });
if (result.error) console.error(`Cannot run the journeys: ${result.error.message}`);
process.exit(result.status ?? 1);

// Starts the app for a journey: an own home, an own user, an own keyring; nothing of the machine's own is touched.
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Session } from './webdriver.mjs';

/** The repository. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
/** Where screenshots of a test run go: build output. */
export const SCREENS = join(ROOT, 'test-results/screens');

/** The app's binary: what the test run built. */
export function binary() {
  const given = process.env.BACKSTAY_APP_BINARY;
  if (!given || !existsSync(given)) throw new Error('Set BACKSTAY_APP_BINARY to the app built with --features tauri/custom-protocol');
  return given;
}

/** A throw-away computer: a folder with a home, Backstay's state, and room for sources and destinations. */
export class Scene {
  static async make(name) {
    const scene = new Scene();
    scene.folder = await mkdtemp(join(tmpdir(), `backstay-e2e-${name}-`));
    scene.home = join(scene.folder, 'home');
    scene.state = join(scene.folder, 'state');
    await mkdir(join(scene.home, '.ssh'), { recursive: true, mode: 0o700 });
    await mkdir(SCREENS, { recursive: true });
    return scene;
  }

  /** The environment the app runs in. */
  env(more = {}) {
    const { SSH_AUTH_SOCK: _, ...rest } = process.env;
    return { ...rest, HOME: this.home, BACKSTAY_HOME: this.state, XDG_CONFIG_HOME: join(this.home, '.config'), ...more };
  }

  /** Opens the app's window. */
  async open(more) {
    return Session.start(binary(), this.env(more));
  }

  /** Removes everything. */
  async remove() {
    await rm(this.folder, { recursive: true, force: true });
  }
}

// The desktop around the window: native windows and keys, by xdotool.
import { spawnSync } from 'node:child_process';
import { waitFor } from './webdriver.mjs';

/** Returns the ids of the windows in sight whose title matches a pattern. */
export function windows(title) {
  const found = spawnSync('xdotool', ['search', '--onlyvisible', '--name', title], { encoding: 'utf8' });
  return found.stdout.trim().split('\n').filter(Boolean);
}

/** Waits for a native window, presses a key in it, and waits until it has gone. */
export async function answer(title, key) {
  const id = await waitFor(`the window ${title}`, () => windows(title)[0]);
  await waitFor(`${title} to take ${key}`, () => {
    spawnSync('xdotool', ['windowfocus', '--sync', id, 'key', '--window', id, key]);
    return !windows(title).includes(id);
  });
  // A window that goes at the press takes xdotool with it, before the release: the display would repeat the key for ever,
  // into whatever window comes next.
  spawnSync('xdotool', ['keyup', key]);
}

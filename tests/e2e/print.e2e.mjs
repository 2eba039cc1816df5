// The recovery kit is printed. A web view that is driven opens no print dialog, so here the window stands alone, and the
// mouse of the desktop goes where the buttons were seen before.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Scene, SCREENS, binary } from './lib/app.mjs';
import { answer, windows } from './lib/desktop.mjs';
import { addVault } from './lib/ready.mjs';
import { journey } from './lib/steps.mjs';
import { waitFor } from './lib/webdriver.mjs';
import { go } from './lib/wizard.mjs';

const test = journey(spawnSync('import', ['-version']).error ? 'import is missing (ImageMagick)' : null);

/** Makes a vault, and walks to the kit's print button; returns where the mouse pressed on the way. */
async function walk(scene) {
  const session = await scene.open();
  try {
    await session.see('Overview');
    await addVault(session, scene);
    await session.settle();
    const steps = [['link', /^Destinations/], ['row', /^disk/], ['button', /^Recovery kit/], ['button', /^Print/]];
    const places = [];
    for (const [role, name] of steps) {
      await session.settle();
      const element = await session.get(role, name);
      places.push(await session.run((e) => {
        const box = e.getBoundingClientRect();
        return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
      }, element));
      if (role === 'link') await go(session, 'Destinations');
      else if (!String(name).includes('Print')) await session.click(role, name);
    }
    return places;
  } finally {
    await session.end();
  }
}

/** What the screen shows, as a hash. */
function screen() {
  const { stdout } = spawnSync('import', ['-window', 'root', 'rgb:-'], { maxBuffer: 1 << 24 });
  return createHash('sha256').update(stdout).digest('hex');
}

/** Waits until the screen stays as it is. */
async function rest() {
  let last = null;
  return waitFor('the screen to come to rest', () => {
    const now = screen();
    const still = now === last && now;
    last = now;
    return still;
  });
}

/** Clicks until the screen shows something new: a window that has just come up may not hear the first click. */
async function clickAt(id, [x, y]) {
  spawnSync('xdotool', ['mousemove', '--window', id, x, y].map(String));
  const before = await rest();
  await waitFor(`a click at ${x}, ${y} to be heard`, async () => {
    spawnSync('xdotool', ['click', '1']);
    return waitFor('the screen to change', () => screen() !== before, 3_000).catch(() => false);
  });
  await rest();
}

test('the recovery kit is printed, and the window goes on', async () => {
  const scene = await Scene.make('print');
  const places = await walk(scene);
  const app = spawn(binary(), [], { env: scene.env(), stdio: 'ignore' });
  try {
    const id = await waitFor('the window', () => windows('^Backstay$')[0]);
    // Empty, the window has one or two colours; letters bring many.
    const colours = () => Number(spawnSync('import', ['-window', 'root', '-format', '%k', 'info:'], { encoding: 'utf8' }).stdout);
    await waitFor('the first screen', () => colours() > 40);
    for (const place of places) await clickAt(id, place);
    await answer('^Print$', 'Escape');
    assert.equal(app.exitCode, null);
    assert.deepEqual(windows('^Backstay$'), [id]);
  } finally {
    spawnSync('import', ['-window', 'root', join(SCREENS, 'print-last.png')]);
    app.kill();
    await scene.remove();
  }
});

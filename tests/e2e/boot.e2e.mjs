// The window opens, answers, and says so plainly when it cannot start.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Scene, SCREENS } from './lib/app.mjs';

test('the window opens and its engine answers', async () => {
  const scene = await Scene.make('boot');
  const session = await scene.open();
  try {
    await session.see('Overview');
    const info = await session.invoke('app_info');
    assert.equal(info.home, scene.state);
    assert.equal(info.platform, 'linux');
    assert.match(info.version, /^\d+\.\d+\.\d+$/);
    await assert.rejects(session.invoke('plugin:shell|execute'), 'the window may call nothing but what it is granted');
    await session.screenshot(join(SCREENS, 'boot.png'));
  } finally {
    await session.end();
    await scene.remove();
  }
});

test('a home that is no folder is told on a page, not by a crash', async () => {
  const scene = await Scene.make('failure');
  await mkdir(scene.folder, { recursive: true });
  await writeFile(scene.state, 'a file where the folder should be');
  const session = await scene.open();
  try {
    await session.see('Backstay cannot start');
    await session.see(scene.state);
    await session.screenshot(join(SCREENS, 'cannot-start.png'));
  } finally {
    await session.end();
    await scene.remove();
  }
});

test('without a keyring the window says so, and a sealed file takes its place', async () => {
  const scene = await Scene.make('sealed');
  let session = await scene.open({ BACKSTAY_NO_KEYRING: '1' });
  try {
    await session.see('There is no place for passwords and keys yet');
    await session.click('button', 'Set up…');
    await session.fill('Passphrase', 'correct horse battery');
    await session.fill('The same again', 'correct horse battery');
    await session.click('button', 'Make the file');
    await session.see('Ready');
    await session.gone('There is no place for passwords and keys yet');
    await session.end();
    session = await scene.open({ BACKSTAY_NO_KEYRING: '1' });
    await session.see('Passwords and keys are locked');
    await session.click('button', 'Unlock…');
    await session.fill('Passphrase', 'wrong');
    await session.click('button', 'Unlock', { exact: true });
    await session.get('alert');
    await session.fill('Passphrase', 'correct horse battery');
    await session.click('button', 'Unlock', { exact: true });
    await session.gone('Passwords and keys are locked');
  } finally {
    await session.screenshot(join(SCREENS, 'sealed-last.png')).catch(() => {});
    await session.end();
    await scene.remove();
  }
});

// Every screen of the real window, light and dark: no violation found by axe, nothing that reaches out of the smallest window,
// and pictures of each as build output.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Scene, SCREENS } from './lib/app.mjs';
import { checkAxe } from './lib/axe.mjs';
import { fill } from './lib/ready.mjs';

let scene;
let session;
let made;

before(async () => {
  scene = await Scene.make('screens');
  session = await scene.open();
  await session.see('Overview');
  await shoot('overview-new', 'light');
  made = await fill(session, scene);
});

after(async () => {
  await session?.end();
  await scene?.remove();
});

async function shoot(name, theme) {
  await session.screenshot(join(SCREENS, `${name}-${theme}.png`));
}

/** Returns what cannot be seen whole and not be scrolled to: it reaches out of the window, or out of a box that hides it. */
function reachingOut() {
  const found = [];
  for (const element of document.querySelectorAll('button, a[href], input, h1, h2, .badge, .note')) {
    const box = element.getBoundingClientRect();
    const hidden = box.width < 2 || getComputedStyle(element).visibility === 'hidden' || element.closest('.visually-hidden, [aria-hidden=true]');
    if (hidden) continue;
    const words = `${element.tagName.toLowerCase()} "${(element.innerText || element.getAttribute('aria-label') || '').slice(0, 60)}"`;
    if (box.left < -1 || box.right > innerWidth + 1) found.push(`${words} reaches out of the window`);
    for (let around = element.parentElement; around && around !== document.body; around = around.parentElement) {
      const style = getComputedStyle(around);
      const edge = around.getBoundingClientRect();
      if (style.overflowX !== 'visible' && (box.right > edge.right + 1 || box.left < edge.left - 1) && style.overflowX === 'hidden') found.push(`${words} is cut off by ${around.className}`);
      if (style.overflowX !== 'visible') break;
    }
  }
  return found;
}

/** Goes to an address of the window, as a link would. */
async function open(path, says) {
  await session.run((to) => {
    location.hash = to;
  }, path);
  await session.see(says);
}

const SCREENS_OF = () => [
  ['overview', '/overview', 'Needs you'],
  ['servers', '/servers', 'This computer'],
  ['add-server', '/servers/new', 'By its address'],
  ['plans', '/plans', 'mail nightly'],
  ['plan', `/plans/${made.plan.id}`, 'Last good'],
  ['make-a-plan', '/plans/new', 'The plan so far'],
  ['backups', `/backups?open=${made.backup}`, 'Contents'],
  ['backup', `/backups/${made.backup}`, 'Contents'],
  ['restore', `/restore/${made.backup}`, 'The whole backup'],
  ['destinations', `/destinations/${made.vault.id}`, 'disk'],
  ['add-destination', '/destinations/new', 'Where should backups lie?'],
  ['activity', '/activity', 'Before'],
  ['settings', '/settings', 'Settings'],
];

for (const theme of ['light', 'dark']) {
  test(`all screens are accessible, ${theme}`, async (t) => {
    const settings = await session.invoke('settings');
    await session.invoke('save_settings', { settings: { ...settings, theme } });
    for (const [name, path, says] of SCREENS_OF()) {
      await t.test(name, async () => {
        await open(path, says);
        await session.settle();
        await shoot(name, theme);
        await checkAxe(session, `${name}, ${theme}`);
        await session.resize(900, 600);
        await session.settle();
        await shoot(`${name}-small`, theme);
        const out = await session.run(reachingOut);
        await session.resize(1280, 800);
        assert.deepEqual(out, [], `out of sight on ${name} in the smallest window`);
      });
    }
  });
}

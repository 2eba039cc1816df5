// Every screen of the real window, light and dark: no violation found by axe, and a picture of each as build output.
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
      });
    }
  });
}

// The life of the window: a run is cancelled; the window is closed while a run goes on, and found again; a second start
// shows the first one's window; quitting without runs ends the process.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Scene, binary } from './lib/app.mjs';
import { makeHeavy } from './lib/files.mjs';
import { addPlan, addVault, runEnd } from './lib/ready.mjs';
import { journey } from './lib/steps.mjs';
import { waitFor } from './lib/webdriver.mjs';

const test = journey();
let scene;
let session;
let plan;

before(async () => {
  scene = await Scene.make('life');
  await makeHeavy(join(scene.folder, 'heavy'), 400);
  session = await scene.open();
  await session.see('Overview');
  const vault = await addVault(session, scene);
  plan = await addPlan(session, 'heavy nightly', vault, [join(scene.folder, 'heavy')]);
});

after(async () => {
  await session?.end();
  await scene?.remove();
});

/** Returns the ids of Backstay's windows on the screen. */
function windows() {
  const found = spawnSync('xdotool', ['search', '--onlyvisible', '--name', '^Backstay$'], { encoding: 'utf8' });
  return found.stdout.trim().split('\n').filter(Boolean);
}

/** Asks the window to close, as its close button does. */
function close() {
  const script = join(import.meta.dirname, 'lib/close-window.py');
  const asked = spawnSync('python3', [script, windows()[0]], { encoding: 'utf8' });
  assert.equal(asked.status, 0, asked.stderr);
}

/** Waits until a run reads or writes. */
async function underWay(run) {
  await waitFor('the backup to get under way', async () => {
    const { row } = await session.invoke('run', { id: run });
    assert.ok(['waiting', 'running'].includes(row.state), `it is over already: ${row.state}`);
    return (row.progress?.bytes ?? 0) > 0;
  });
}

test('a run shows how it stands, and is cancelled', async () => {
  await session.click('link', /^Plans/);
  await session.click('row', /heavy nightly/);
  await session.click('button', 'Back up now');
  const run = await waitFor('a run', async () => (await session.invoke('runs', { filter: { active: true } })).rows[0]?.id);
  await session.click('link', /^Activity/);
  await underWay(run);
  const bar = await session.get('progressbar');
  const value = Number((await session.run((element) => element.getAttribute('aria-valuenow'), bar)) ?? 0);
  assert.ok(value < 100, `${value} % before it is done`);
  await session.click('button', /^Cancel/);
  const row = await runEnd(session, run);
  assert.equal(row.state, 'cancelled');
  await session.see('Cancelled');
  assert.equal((await session.invoke('backups', { filter: {} })).total, 0, 'a cancelled run leaves no backup');
});

test('the window is closed while a run goes on, and a second start finds it again', async () => {
  const run = await session.invoke('start_backup', { plan: plan.id });
  await underWay(run);
  close();
  await waitFor('the window to hide', () => windows().length === 0);
  assert.ok(existsSync(`/proc/${session.pid}`), 'the run goes on without a window');
  const second = spawn(binary(), [], { env: scene.env(), stdio: 'ignore' });
  const status = await new Promise((resolve) => second.once('exit', resolve));
  assert.equal(status, 0, 'the second start hands over and ends');
  await waitFor('the window to come back', () => windows().length > 0);
  const row = await runEnd(session, run);
  assert.equal(row.state, 'done', JSON.stringify(row.error));
});

test('without runs, closing the window ends the app', async () => {
  close();
  await waitFor('the app to end', () => !existsSync(`/proc/${session.pid}`));
});

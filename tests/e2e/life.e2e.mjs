// The life of the window: a run is cancelled; quitting with a run asks; the window is closed while a run goes on, and found
// again; a second start shows the first one's window; quitting without runs ends the process.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Scene, binary } from './lib/app.mjs';
import { answer, windows } from './lib/desktop.mjs';
import { makeHeavy } from './lib/files.mjs';
import { addPlan, addVault, runEnd } from './lib/ready.mjs';
import { journey } from './lib/steps.mjs';
import { CONTROL, waitFor } from './lib/webdriver.mjs';
import { go } from './lib/wizard.mjs';

/** The title of Backstay's own window. */
const OURS = '^Backstay$';
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

/** Asks the window to close, as its close button does. */
function close() {
  const script = join(import.meta.dirname, 'lib/close-window.py');
  const asked = spawnSync('python3', [script, windows(OURS)[0]], { encoding: 'utf8' });
  assert.equal(asked.status, 0, asked.stderr);
}

/** Returns the processes of a name that the app started. */
function children(name) {
  const stat = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      return '';
    }
  };
  const own = (pid) => {
    const [, program, rest] = /^\d+ \((.*)\) (.*)$/s.exec(stat(pid)) ?? [];
    return program === name && Number(rest.split(' ')[1]) === session.pid;
  };
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && own(pid)).map(Number);
}

/**
 * Waits until a run reads, and holds what it reads from: a run must not be over before a journey has done with it, however
 * fast this machine is. Returns what lets it go on.
 */
async function hold(run) {
  // The one that packs: others of that name only tell their version, and end at once.
  const packs = (pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--create');
  const held = await waitFor('the backup to read', () => {
    const found = children('tar').filter(packs);
    for (const pid of found) process.kill(pid, 'SIGSTOP');
    return found.length > 0 && found;
  });
  const { row } = await session.invoke('run', { id: run });
  assert.ok(['waiting', 'running'].includes(row.state), `it is over already: ${row.state}`);
  return () => held.forEach((pid) => process.kill(pid, 'SIGCONT'));
}

test('a run shows how it stands, and is cancelled', async () => {
  await go(session, 'Plans');
  await session.click('row', /heavy nightly/);
  await session.click('button', 'Back up now');
  const run = await waitFor('a run', async () => (await session.invoke('runs', { filter: { active: true } })).rows[0]?.id);
  await go(session, 'Activity');
  await hold(run);
  const bar = await session.get('progressbar');
  const value = Number((await session.run((element) => element.getAttribute('aria-valuenow'), bar)) ?? 0);
  assert.ok(value < 100, `${value} % before it is done`);
  await session.click('button', /^Cancel/);
  const row = await runEnd(session, run);
  assert.equal(row.state, 'cancelled');
  await session.see('Cancelled');
  assert.equal((await session.invoke('backups', { filter: {} })).total, 0, 'a cancelled run leaves no backup');
});

test('quitting with a run asks first; the run goes on, or is stopped as it was told', async () => {
  const run = await session.invoke('start_backup', { plan: plan.id });
  await hold(run);
  await session.press(CONTROL, 'q');
  await answer('Quit Backstay', 'Escape');
  assert.equal((await session.invoke('run', { id: run })).row.state, 'running');
  await session.press(CONTROL, 'q');
  await answer('Quit Backstay', 'Return');
  await waitFor('the app to end', () => !existsSync(`/proc/${session.pid}`));
  await session.end();
  session = await scene.open();
  const { row } = await session.invoke('run', { id: run });
  assert.equal(row.state, 'cancelled');
});

test('the window is closed while a run goes on, and a second start finds it again', async () => {
  const run = await session.invoke('start_backup', { plan: plan.id });
  const goOn = await hold(run);
  close();
  await waitFor('the window to hide', () => windows(OURS).length === 0);
  assert.ok(existsSync(`/proc/${session.pid}`), 'the run goes on without a window');
  const second = spawn(binary(), [], { env: scene.env(), stdio: 'ignore' });
  const status = await new Promise((resolve) => second.once('exit', resolve));
  assert.equal(status, 0, 'the second start hands over and ends');
  await waitFor('the window to come back', () => windows(OURS).length > 0);
  goOn();
  const row = await runEnd(session, run);
  assert.equal(row.state, 'done', JSON.stringify(row.error));
});

test('without runs, closing the window ends the app', async () => {
  close();
  await waitFor('the app to end', () => !existsSync(`/proc/${session.pid}`));
});

// Three ways to log in, in the real window: a host of ~/.ssh/config, the SSH agent, a key and a password. Then one folder is
// ticked in a server's tree, backed up, found among other backups, downloaded in part, and restored to another server.
// It needs root: a user is made for it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { startSshd } from '../../scripts/bench/sshd.mjs';
import { startAgent } from './lib/agent.mjs';
import { Scene, SCREENS } from './lib/app.mjs';
import { assertSame, inventory, makeSite } from './lib/files.mjs';
import { addPlan, addVault, runEnd } from './lib/ready.mjs';
import { journey } from './lib/steps.mjs';
import { tickByKey, tickByMouse } from './lib/tree.mjs';
import { waitFor } from './lib/webdriver.mjs';
import { acceptKeys, backUpNow, closeMessages, endOf, finishPlan, go, takeAllOut } from './lib/wizard.mjs';

const needed = ['/usr/sbin/useradd', '/usr/bin/ssh-agent', '/usr/bin/unzip'];
const lacking = needed.find((file) => !existsSync(file));
const missing = process.getuid() !== 0 ? 'users can be made by root only' : lacking && `${lacking} is missing`;
const test = journey(missing || null);
const user = `bse${randomBytes(4).toString('hex')}`;
const password = `pass ${randomBytes(6).toString('hex')}`;
let scene;
let configured;
let byAgent;
let twofold;
let agent;
let session;
let site;
let saved;

before(async () => {
  if (missing) return;
  scene = await Scene.make('ways-in');
  await chmod(scene.folder, 0o755);
  execFileSync('useradd', ['--create-home', '--home-dir', join(scene.folder, 'user-home'), '--shell', '/bin/sh', user]);
  execFileSync('chpasswd', { input: `${user}:${password}\n` });
  configured = await startSshd(join(scene.folder, 'configured'));
  byAgent = await startSshd(join(scene.folder, 'by-agent'));
  twofold = await startSshd(join(scene.folder, 'twofold'), ['PasswordAuthentication yes', 'AuthenticationMethods publickey,password']);
  // sshd reads the keys of a user as that user.
  await chmod(join(scene.folder, 'twofold'), 0o755);
  await chmod(join(scene.folder, 'twofold/authorized_keys'), 0o644);
  agent = await startAgent(join(scene.folder, 'agent'), byAgent.key);
  const host = ['Host web-cfg', 'HostName 127.0.0.1', `Port ${configured.port}`, `User ${configured.user}`, `IdentityFile ${configured.key}`];
  await writeFile(join(scene.home, '.ssh/config'), `${host.join('\n')}\n`, { mode: 0o600 });
  site = join(scene.folder, 'shop');
  await makeSite(site);
  saved = await inventory(site);
  session = await scene.open({ SSH_AUTH_SOCK: agent.socket });
  await session.see('Overview');
  await addOther(await addVault(session, scene));
});

after(async () => {
  await session?.screenshot(join(SCREENS, 'ways-in-last.png')).catch(() => {});
  await session?.end();
  agent?.stop();
  for (const sshd of [configured, byAgent, twofold]) sshd?.stop();
  // The user goes once the last of its connections has ended.
  if (!missing) await waitFor('the user to go', () => spawnSync('userdel', [user]).status === 0);
  await scene?.remove();
});

/** Makes a backup to tell apart from the journey's own: older, bigger, and with a problem. */
async function addOther(vault) {
  const notes = join(scene.folder, 'notes');
  await mkdir(notes);
  await writeFile(join(notes, 'big.bin'), randomBytes(2 << 20));
  const plan = await addPlan(session, 'notes nightly', vault, [notes, join(scene.folder, 'never-was')]);
  const run = await runEnd(session, await session.invoke('start_backup', { plan: plan.id }));
  assert.equal(run.state, 'done_with_problems', JSON.stringify(run));
}

async function beginServer() {
  await go(session, 'Servers');
  await session.click('button', 'Add a server');
}

async function fillAddress(name, port) {
  await session.fill('Address', '127.0.0.1');
  await session.fill('Port', String(port));
  await session.fill('Name', name);
  await session.click('button', 'Continue');
}

/** Saves the server from the last step, and waits for its own panel. */
async function saveOnly() {
  await session.click('button', 'Save only');
  await session.get('button', 'Make a plan', { exact: true });
}

async function valueOf(name) {
  return session.run((field) => field.value, await session.get('textbox', name));
}

test('a host of ~/.ssh/config is picked, with all that stands there', async () => {
  await beginServer();
  await session.click('radio', /^From your SSH config/);
  await session.click('button', 'Use web-cfg');
  assert.deepEqual([await valueOf('Address'), await valueOf('Port'), await valueOf('Name')], ['127.0.0.1', String(configured.port), 'web-cfg']);
  await session.click('button', 'Continue');
  assert.deepEqual([await valueOf('User'), await valueOf('Private key file')], [configured.user, configured.key]);
  await session.click('button', 'Continue');
  await acceptKeys(session, 1);
  await session.see('Works', 30_000);
  await session.click('button', 'Continue');
  await session.see('Worth backing up', 60_000);
  await saveOnly();
});

test('a server is logged in to by the SSH agent', async () => {
  await beginServer();
  await fillAddress('web-agent', byAgent.port);
  await session.fill('User', byAgent.user);
  await session.click('radio', 'SSH agent');
  await session.click('button', 'Continue');
  await acceptKeys(session, 1);
  await session.see('Works', 30_000);
  await session.click('button', 'Continue');
  await saveOnly();
});

test('a server that asks for a password besides the key says so, and gets both', async () => {
  await beginServer();
  await fillAddress('web-two', twofold.port);
  await session.fill('User', user);
  await session.click('radio', 'Key file');
  await session.fill('Private key file', twofold.key);
  await session.click('button', 'Continue');
  await acceptKeys(session, 1);
  await session.see('the server wants a second proof', 30_000);
  assert.deepEqual(await session.all('button', 'Continue', { exact: true }), [], 'a failed test must not lead on');
  await session.click('button', 'Back');
  await session.click('switch', /password besides the key$/);
  await session.fill('Password', password);
  await session.click('button', 'Continue');
  await session.see('Works', 30_000);
  await session.click('button', 'Continue');
  await saveOnly();
  // With the password that was stored.
  await session.click('tab', 'Connection');
  await session.click('button', 'Test the connection');
  await session.see('Works', 30_000);
});

test('a folder is ticked in the tree of a server, and backed up', async () => {
  await go(session, 'Servers');
  await session.click('row', /^web-cfg/);
  await session.click('button', 'Make a plan', { exact: true });
  await takeAllOut(session);
  await session.click('button', 'Files and folders', { exact: true });
  await tickByMouse(session, 'Folders of web-cfg', site);
  await session.get('button', `Take out ${site}`, { exact: true });
  await finishPlan(session, 'shop nightly');
  const run = await backUpNow(session, 2);
  assert.equal(run.state, 'done', JSON.stringify(run));
});

/** Waits until the list of backups shows those of these plans, in this order. */
async function listed(...plans) {
  const shown = () => session.run(() => [...document.querySelectorAll('[role=grid][aria-label=Backups] .dt-body-row')].map((row) => row.querySelector('b').innerText));
  await waitFor(async () => `the list ${plans.join(', ')}; it is ${(await shown()).join(', ')}`, async () => String(await shown()) === String(plans));
}

test('backups are filtered, sorted and searched', async () => {
  await go(session, 'Backups');
  await listed('shop nightly', 'notes nightly');
  await session.choose('State', 'Problems');
  await session.see('1 backup matches');
  await listed('notes nightly');
  await session.choose('State', 'All states');
  await session.see('2 backups');
  await session.click('button', 'Size', { exact: true });
  await listed('notes nightly', 'shop nightly');
  await session.click('button', 'Size', { exact: true });
  await listed('shop nightly', 'notes nightly');
  const head = await session.get('columnheader', /^Size/);
  assert.equal(await session.run((element) => element.getAttribute('aria-sort'), head), 'ascending');
  await session.fill('Filter backups', 'shop');
  await session.see('1 backup matches');
  await listed('shop nightly');
});

test('one folder of the backup is downloaded as .zip', async () => {
  const out = join(scene.folder, 'downloads');
  await mkdir(out);
  // Paths in a backup begin without a slash.
  const part = join(site, 'media').slice(1);
  await session.click('row', /shop nightly/);
  await tickByKey(session, 'Contents of shop nightly', part);
  await session.see('1 part picked');
  await closeMessages(session);
  const bar = await session.get('toolbar', 'Actions for the picked parts');
  await session.click('button', 'Download…', { within: bar });
  await session.click('radio', /^\.zip/);
  await session.fill('Into this folder', out);
  await session.click('button', 'Download', { exact: true });
  const run = await endOf(session, 'download');
  assert.equal(run.state, 'done', JSON.stringify(run));
  const [file, ...others] = await readdir(out);
  assert.match(file, /\.zip$/);
  assert.deepEqual(others, []);
  const names = execFileSync('unzip', ['-Z1', join(out, file)], { encoding: 'utf8' }).trim().split('\n');
  assert.deepEqual(names.sort(), [`${part}/`, `${part}/picture.bin`]);
});

test('the whole backup is restored to another server, into another folder', async () => {
  const target = join(scene.folder, 'restored');
  // The first is that of the whole backup; the other one is of the part still picked.
  await session.click('button', 'Restore…');
  await closeMessages(session);
  await session.click('button', 'Continue');
  await session.choose('To which server', /^web-agent/);
  await session.click('radio', /^Into another folder/);
  await session.fill('Folder on web-agent', target);
  await session.click('button', 'Show what would happen');
  await session.see('Left alone', 30_000);
  await session.see(`web-agent (${byAgent.user}@127.0.0.1:${byAgent.port})`);
  await session.click('button', 'Restore to web-agent');
  const dialog = await session.get('dialog');
  await session.click('button', 'Restore to web-agent', { within: dialog });
  await session.see('Restored to web-agent, without problems', 60_000);
  assert.equal((await endOf(session, 'restore')).server_name, 'web-agent');
  await assertSame(saved, join(target, site));
});

test('the password is nowhere in what the app keeps', () => {
  assert.ok(existsSync(scene.state));
  const found = spawnSync('grep', ['-rlF', '--', password, scene.state], { encoding: 'utf8' });
  assert.equal(found.stdout, '');
});

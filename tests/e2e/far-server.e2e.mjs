// A server behind a jump host, where root's files are read by sudo with a password. It needs root: users are made for it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { startSshd } from '../../scripts/bench/sshd.mjs';
import { Scene, SCREENS } from './lib/app.mjs';
import { addVault } from './lib/ready.mjs';
import { journey } from './lib/steps.mjs';
import { waitFor } from './lib/webdriver.mjs';
import { acceptKeys, backUpNow, finishPlan, go, takeAllOut } from './lib/wizard.mjs';

const missing = process.getuid() !== 0 ? 'users can be made by root only' : ['/usr/bin/sudo', '/usr/sbin/useradd'].find((file) => !existsSync(file)) && 'sudo or useradd is missing';
const test = journey(missing || null);
const user = `bse${randomBytes(4).toString('hex')}`;
const password = `pass ${randomBytes(6).toString('hex')}`;
const sudoers = `/etc/sudoers.d/${user}`;
let scene;
let far;
let jump;
let session;
let secret;

before(async () => {
  if (missing) return;
  scene = await Scene.make('far');
  await chmod(scene.folder, 0o755);
  execFileSync('useradd', ['--create-home', '--home-dir', join(scene.folder, 'far-home'), '--shell', '/bin/sh', user]);
  execFileSync('chpasswd', { input: `${user}:${password}\n` });
  await writeFile(sudoers, `${user} ALL=(ALL) ALL\n`, { mode: 0o440 });
  far = await startSshd(join(scene.folder, 'far'));
  jump = await startSshd(join(scene.folder, 'jump'));
  // The server lets in the key the jump host's admin has, and only over the jump host would its address be known.
  await writeFile(join(scene.folder, 'far/authorized_keys'), await readFile(`${jump.key}.pub`));
  await chmod(join(scene.folder, 'far'), 0o755);
  await chmod(join(scene.folder, 'far/authorized_keys'), 0o644);
  secret = join(scene.folder, 'root-only');
  await mkdir(secret, { mode: 0o700 });
  await writeFile(join(secret, 'shadow.txt'), 'for root alone\n', { mode: 0o600 });
  session = await scene.open();
  await session.see('Overview');
  await addVault(session, scene);
});

after(async () => {
  await session?.screenshot(join(SCREENS, 'far-server-last.png')).catch(() => {});
  await session?.end();
  far?.stop();
  jump?.stop();
  if (!missing) {
    // The user goes once the last of its connections has ended.
    await waitFor('the user to go', () => spawnSync('userdel', [user]).status === 0);
    await rm(sudoers, { force: true });
  }
  await scene?.remove();
});

test('the server is added: jump host, two fingerprints, sudo with its password', async () => {
  await go(session, 'Servers');
  await session.click('button', 'Add a server');
  await session.fill('Address', '127.0.0.1');
  await session.fill('Port', String(far.port));
  await session.fill('Name', 'far-1');
  await session.click('button', 'Continue');
  await session.fill('User', user);
  await session.click('radio', 'Key file');
  await session.fill('Private key file', jump.key);
  await session.click('radio', 'sudo with password');
  await session.fill("sudo's password", 'not this one');
  await session.click('button', 'Add a jump host');
  const host = await session.get('group', 'Jump host 1');
  await session.fill('Address', '127.0.0.1', { within: host });
  await session.fill('Port', String(jump.port), { within: host });
  await session.fill('User', jump.user, { within: host });
  await session.click('button', 'Continue');
  await acceptKeys(session, 2);
  await session.see('sudo refused the password', 30_000);
  await session.click('button', 'Back');
  await session.fill("sudo's password", password);
  await session.click('button', 'Continue');
  await session.see('Works', 30_000);
  await session.click('button', 'Continue');
  await session.see('Worth backing up', 60_000);
  await session.click('button', 'Save, and make a plan of it');
});

test("what only root may read is backed up, and root's again after a restore", async () => {
  await takeAllOut(session);
  await session.click('button', 'Files and folders');
  await session.fill('Add a path of far-1', secret);
  await session.click('button', 'Add', { exact: true });
  await session.get('treeitem', /^root-only\b/);
  await finishPlan(session, 'root nightly');
  const run = await backUpNow(session);
  assert.equal(run.state, 'done', JSON.stringify(run));
  await rm(secret, { recursive: true });
  await go(session, 'Backups');
  await session.click('row', /root nightly/);
  await session.click('button', 'Restore…');
  await session.click('button', 'Continue');
  await session.click('button', 'Show what would happen');
  await session.see('Left alone', 30_000);
  await session.click('button', 'Restore to far-1');
  const dialog = await session.get('dialog');
  await session.click('button', 'Restore to far-1', { within: dialog });
  await session.see('Restored to far-1', 60_000);
  assert.equal(await readFile(join(secret, 'shadow.txt'), 'utf8'), 'for root alone\n');
  const { uid, mode } = await stat(join(secret, 'shadow.txt'));
  assert.deepEqual([uid, mode & 0o777], [0, 0o600]);
});

test('the password is nowhere in what the app keeps', () => {
  const found = spawnSync('grep', ['-rlF', password, scene.state], { encoding: 'utf8' });
  assert.equal(found.stdout, '');
});

// The main job in the real window, on a real sshd: add a server, a destination, a plan; back up; look; download; restore;
// start again and find it all. One scene, one step after another, as a user would.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { startSshd } from '../../scripts/bench/sshd.mjs';
import { Scene, SCREENS } from './lib/app.mjs';
import { assertSame, inventory, makeSite, untar } from './lib/files.mjs';
import { look } from './lib/look.mjs';
import { journey } from './lib/steps.mjs';
import { backUpNow, endOf, finishPlan, go as goTo, takeAllOut } from './lib/wizard.mjs';

const test = journey();
let scene;
let sshd;
let site;
let session;
let saved;

before(async () => {
  scene = await Scene.make('main');
  sshd = await startSshd(join(scene.folder, 'sshd'));
  site = join(scene.folder, 'site');
  await makeSite(site);
  session = await scene.open();
});

after(async () => {
  await session?.screenshot(join(SCREENS, 'main-job-last.png')).catch(() => {});
  await session?.end();
  sshd?.stop();
  await scene?.remove();
});

const ended = (kind, nth) => endOf(session, kind, nth);
const go = (page) => goTo(session, page);

test('a server is added by the wizard, after its fingerprint was compared', async () => {
  await go('Servers');
  await session.see('This computer');
  await session.click('button', 'Add a server');
  await session.fill('Address', '127.0.0.1');
  await session.fill('Port', String(sshd.port));
  await session.fill('Name', 'web-1');
  await session.click('button', 'Continue');
  await session.fill('User', sshd.user);
  await session.click('radio', 'Key file');
  await session.fill('Private key file', sshd.key);
  await session.click('button', 'Continue');
  const shown = await session.get('img', /^Fingerprint/);
  const label = await session.run((element) => element.getAttribute('aria-label'), shown);
  const real = execFileSync('ssh-keygen', ['-lf', join(scene.folder, 'sshd/host.pub')], { encoding: 'utf8' }).split(' ')[1];
  assert.ok(label.includes(real), `${label} is not ${real}`);
  await session.click('button', 'They are equal: accept');
  await session.see('Works', 30_000);
  await session.click('button', 'Continue');
  await session.see('Worth backing up', 60_000);
  await session.click('button', 'Save, and make a plan of it');
  await session.see('Make a plan');
});

test('a vault is made, and its recovery kit asked back', async () => {
  await go('Destinations');
  await session.click('button', 'Add a destination');
  await session.fill('Folder', join(scene.folder, 'vault'));
  await session.click('button', 'Test it');
  await session.get('button', 'Test again', { timeout: 30_000 });
  await session.click('button', 'Continue');
  await session.fill('Name', 'disk');
  await session.click('button', 'Make the vault');
  await session.see('Restore without Backstay', 30_000);
  const words = await session.run(() => [...document.querySelectorAll('ol[aria-label="Words of the key"] b')].map((word) => word.textContent));
  assert.ok(words.length >= 6, `a kit of ${words.length} words`);
  const field = await session.get('textbox', /^Word \d+ of the kit/);
  const asked = Number(/Word (\d+)/.exec(await session.run((element) => element.labels[0].innerText, field))[1]);
  await session.fill(/^Word \d+ of the kit/, words[asked % words.length]);
  await session.click('button', 'Confirm the kit');
  if (words[asked % words.length] !== words[asked - 1]) await session.see('That is not word');
  await session.fill(/^Word \d+ of the kit/, words[asked - 1]);
  await session.click('button', 'Confirm the kit');
  await session.see('The kit is confirmed');
  const listed = execFileSync('restic', ['-r', join(scene.folder, 'vault'), 'snapshots', '--no-cache'], {
    encoding: 'utf8',
    env: { ...process.env, RESTIC_PASSWORD: words.join('-') },
  });
  assert.doesNotMatch(listed, /wrong password/, 'restic opens the vault with the words of the kit');
});

test('a plan is made with the folder browser', async () => {
  await session.click('button', 'Make a plan that writes here');
  await session.choose('Server', /^web-1/);
  await session.see('Found on web-1');
  await takeAllOut(session);
  await session.click('button', 'Files and folders');
  await session.fill('Add a path of web-1', site);
  await session.click('button', 'Add', { exact: true });
  const line = await session.get('treeitem', /^site\b/);
  assert.equal(await session.run((element) => element.getAttribute('aria-checked'), line), 'true');
  await finishPlan(session, 'site nightly');
});

test('the first backup runs and is listed', async () => {
  saved = await inventory(site);
  const run = await backUpNow(session);
  assert.equal(run.state, 'done', JSON.stringify(run.error ?? run));
  await go('Backups');
  await session.see('site nightly');
  await session.see('Good');
});

test('the second backup says what changed', async () => {
  await appendFile(join(site, 'pages/page-7.html'), 'one more line\n');
  await writeFile(join(site, 'pages/new.html'), 'new\n');
  saved = await inventory(site);
  await go('Plans');
  await session.click('row', /site nightly/);
  const run = await backUpNow(session, 2);
  assert.equal(run.state, 'done', JSON.stringify(run.error ?? run));
  const page = await session.invoke('backups', { filter: { limit: 10 } });
  assert.equal(page.total, 2);
  await go('Backups');
  await session.see('2 backups');
  await session.click('row', /site nightly/);
  await session.click('tab', 'Since before');
  await session.see('page-7.html');
  await session.see('new.html');
});

test('a part of the backup is downloaded as .tar.gz', async () => {
  const out = join(scene.folder, 'downloads');
  await mkdir(out);
  await session.click('button', 'Download…');
  await session.click('radio', /tar\.gz/);
  await session.fill('Into this folder', out);
  await session.click('button', 'Download', { exact: true });
  const run = await ended('download');
  assert.equal(run.state, 'done', JSON.stringify(run.error ?? run));
  const [file] = await readdir(out);
  assert.match(file, /\.tar\.gz$/);
  const unpacked = join(scene.folder, 'unpacked');
  await mkdir(unpacked);
  untar(join(out, file), unpacked);
  await assertSame(saved, join(unpacked, site));
});

test('a restore into another folder shows a preview first, and brings all back', async () => {
  const target = join(scene.folder, 'restored');
  await session.click('button', 'Restore…');
  await session.click('button', 'Continue');
  await session.click('radio', /^Into another folder/);
  await session.fill('Folder on web-1', target);
  await session.click('button', 'Show what would happen');
  await session.see('Left alone', 30_000);
  await look(session, 'restore-preview');
  await session.click('button', 'Restore to web-1');
  const dialog = await session.get('dialog');
  await session.click('button', 'Restore to web-1', { within: dialog });
  await session.see('Restored to web-1', 60_000);
  await assertSame(saved, join(target, site));
});

test('replace needs the name typed, and makes the folder as it was', async () => {
  await writeFile(join(site, 'made-later.txt'), 'goes away');
  await rm(join(site, 'pages/page-3.html'));
  await writeFile(join(site, 'pages/page-4.html'), 'overwritten by mistake');
  await go('Backups');
  await session.click('row', /site nightly/);
  await session.click('button', 'Restore…');
  await session.click('button', 'Continue');
  await session.click('radio', /^Replace/);
  await session.click('button', 'Show what would happen');
  await session.see('Left alone', 30_000);
  await session.click('tab', /^Delete/);
  await session.see('made-later.txt');
  await session.click('button', 'Restore to web-1');
  const dialog = await session.get('dialog');
  const confirm = await session.get('button', 'Restore to web-1', { within: dialog });
  assert.equal(await session.run((button) => button.disabled, confirm), true, 'not before the name is typed');
  await session.fill(/to confirm$/, 'web-2');
  assert.equal(await session.run((button) => button.disabled, confirm), true, 'not with another name');
  await session.fill(/to confirm$/, 'web-1');
  await look(session, 'restore-confirm');
  await session.click('button', 'Restore to web-1', { within: dialog });
  await session.see('Restored to web-1', 60_000);
  await assertSame(saved, site);
});

test('after a new start everything is there', async () => {
  await session.end();
  session = await scene.open();
  await go('Activity');
  await session.see('site nightly');
  const { rows, total } = await session.invoke('runs', { filter: {} });
  assert.equal(total, 5);
  assert.ok(rows.every((run) => run.state === 'done'), JSON.stringify(rows.map((run) => [run.kind, run.state])));
  await go('Servers');
  await session.see('web-1');
  const check = await session.invoke('verify_audit');
  assert.equal(check.fault, null);
});

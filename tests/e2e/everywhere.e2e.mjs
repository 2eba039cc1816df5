// Destinations everywhere, in the real window and on real servers: S3, SFTP and FTPS are set up by the wizard, one plan
// writes archives to them and to a disk, what fails is made good by Sync, and a new computer opens it all from the bucket.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { startSshd } from '../../scripts/bench/sshd.mjs';
import { Scene, SCREENS } from './lib/app.mjs';
import { assertSame, inventory, makeHeavy, makeSite, untar } from './lib/files.mjs';
import { startFtp, whyNoFtp } from './lib/ftp.mjs';
import { startLink } from './lib/link.mjs';
import { look } from './lib/look.mjs';
import { assertLive, beginPlace, choosePlace, fillFtp, fillS3, fillSftp, finishPlace, testPlace } from './lib/places.mjs';
import { runEnd } from './lib/ready.mjs';
import { startS3, whyNoS3 } from './lib/s3.mjs';
import { journey } from './lib/steps.mjs';
import { waitFor } from './lib/webdriver.mjs';
import { go as goTo, endOf, takeAllOut } from './lib/wizard.mjs';

const missing = whyNoS3() ?? whyNoFtp();
const test = journey(missing);
const MIB = 1 << 20;
let scene;
let session;
let s3;
let s3Link;
let sshd;
let sshLink;
let ftp;
let site;
let saved;
let kit;

before(async () => {
  if (missing) return;
  scene = await Scene.make('everywhere');
  // The FTP server works as another user, which must get to its folder.
  await chmod(scene.folder, 0o755);
  [s3, sshd, ftp] = await Promise.all([startS3(), startSshd(join(scene.folder, 'sshd')), startFtp(join(scene.folder, 'ftp'))]);
  [s3Link, sshLink] = await Promise.all([startLink(s3.port), startLink(sshd.port)]);
  site = join(scene.folder, 'site');
  await makeSite(site);
  await makeHeavy(join(site, 'heavy'), 24);
  saved = await inventory(site);
  session = await scene.open();
  await session.see('Overview');
  await session.invoke('add_destination', { draft: { name: 'disk', kind: 'local', path: join(scene.folder, 'disk'), use_for: 'none', vault_password: null } });
});

after(async () => {
  await session?.screenshot(join(SCREENS, 'everywhere-last.png')).catch(() => {});
  await session?.end();
  for (const link of [s3Link, sshLink]) link?.stop();
  sshd?.stop();
  await Promise.all([s3?.stop(), ftp?.stop()]);
  await scene?.remove();
});

const go = (page) => goTo(session, page);
const bucket = () => ({ endpoint: `http://127.0.0.1:${s3Link.port}`, bucket: s3.bucket, prefix: 'acme', accessKey: s3.accessKey, secretKey: s3.secretKey });
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The archives in a folder that is somewhere below another, by name. */
async function archivesIn(folder) {
  const found = await readdir(folder, { recursive: true }).catch(() => []);
  return found.filter((name) => /\.tar\.zst(\.sealed)?$/.test(name)).sort();
}

test('a bucket is added: the address is warned of, the test is seen step by step, and says what the store can do', async () => {
  await beginPlace(session, /Other S3/);
  await fillS3(session, bucket());
  await session.see('This address is not encrypted');
  await look(session, 'everywhere-s3-details');
  // A far store, so that there is something to see.
  s3Link.slow(60);
  assertLive(await testPlace(session), 5);
  s3Link.slow(0);
  await session.see('It works, and nothing lies here yet.');
  await session.see('What this store can do');
  await look(session, 'everywhere-s3-tested');
  await session.click('button', 'Continue');
  await look(session, 'everywhere-s3-use');
  await session.click('button', 'Back');
  await finishPlace(session, 'cloud');
  await look(session, 'everywhere-s3-ready');
});

test('an SFTP address of its own is added, after its fingerprint was compared', async () => {
  await beginPlace(session, /^SFTP/);
  const shown = await fillSftp(session, { port: sshLink.port, user: sshd.user, key: sshd.key, path: join(scene.folder, 'box') });
  const real = spawnSync('ssh-keygen', ['-lf', join(scene.folder, 'sshd/host.pub')], { encoding: 'utf8' }).stdout.split(' ')[1];
  assert.ok(shown.includes(real), `${shown} is not ${real}`);
  await look(session, 'everywhere-sftp-details');
  sshLink.slow(40);
  assertLive(await testPlace(session), 4);
  sshLink.slow(0);
  await session.see('It works, and nothing lies here yet.');
  await look(session, 'everywhere-sftp-tested');
  await finishPlace(session, 'box');
});

test("an FTPS server's own certificate is compared and pinned", async () => {
  await beginPlace(session, /^FTP or FTPS/);
  await fillFtp(session, ftp);
  await look(session, 'everywhere-ftp-details');
  await testPlace(session);
  await session.see('no authority vouches for its certificate');
  await session.click('button', 'Look at the certificate…');
  const dialog = await session.get('dialog');
  await session.get('img', new RegExp(`^Fingerprint: ${ftp.sha256}`, 'i'), { within: dialog });
  await look(session, 'everywhere-ftp-certificate');
  await session.click('button', 'They are equal: accept', { within: dialog });
  await session.see('It works, and nothing lies here yet.', 60_000);
  await look(session, 'everywhere-ftp-tested');
  await finishPlace(session, 'web space');
});

test('one plan writes sealed archives to all four, the disk first', async () => {
  await session.click('button', 'Make a plan that writes here');
  await takeAllOut(session);
  await session.click('button', 'Files and folders');
  await session.fill('Add a path of This computer', site);
  await session.click('button', 'Add', { exact: true });
  await session.get('treeitem', /^site\b/);
  await session.click('button', 'Continue');
  await session.click('radio', /^As archives/);
  for (const name of ['disk', 'cloud', 'box']) await session.click('checkbox', name, { exact: true });
  await session.click('button', 'Move disk up');
  await look(session, 'everywhere-plan-where');
  await session.click('button', 'Continue');
  await session.fill('Name of the plan', 'site nightly');
  await session.click('button', 'Make the plan');
  await session.see('Recovery kit of site nightly', 30_000);
  await look(session, 'everywhere-plan-kit');
  kit = await session.run(() => [...document.querySelectorAll('ol[aria-label="Groups of the key"] b')].map((word) => word.textContent));
  const field = await session.get('textbox', /^Group \d+ of the kit/);
  const asked = Number(/Group (\d+)/.exec(await session.run((element) => element.labels[0].innerText, field))[1]);
  await session.fill(/^Group \d+ of the kit/, kit[asked - 1]);
  await session.click('button', 'Confirm the kit');
  await session.click('button', 'Show the plan');
  await session.see('disk · web space · cloud · box');
  await look(session, 'everywhere-plan');
});

/** Notes what each destination's line of a run says, frame by frame. */
function watchPlaces() {
  window.__places = {};
  const look = () => {
    for (const line of document.querySelectorAll('ul[aria-label="Destinations"] li')) {
      const place = (window.__places[line.querySelector('b').textContent] ??= { states: [], moved: false });
      const state = line.querySelector('.badge').innerText.trim();
      if (place.states.at(-1) !== state) place.states.push(state);
      if (/[1-9][\d.]* \w+ (written|of)/.test(line.innerText)) place.moved = true;
    }
    window.__placesFrame = requestAnimationFrame(look);
  };
  look();
}

test('each destination has its own bar, speed and outcome; one may stumble, one may fail', async () => {
  s3Link.slow(0, 4 * MIB);
  sshLink.slow(0, 4 * MIB);
  ftp.readOnly(true);
  await session.click('button', 'Back up now');
  await session.click('button', 'Watch it');
  await session.run(watchPlaces);
  const places = () => session.run(() => window.__places);
  await waitFor('the bucket to be written to', async () => (await places()).cloud?.moved, 60_000);
  // Looking takes its time: the bucket must not be done by then.
  s3Link.slow(0, 64 * 1024);
  await look(session, 'everywhere-run', { moving: true });
  s3Link.away();
  await waitFor('the bucket to be missed', async () => (await places()).cloud.states.includes('Trying again'), 60_000);
  await look(session, 'everywhere-run-stumbles', { moving: true });
  s3Link.slow(0, 4 * MIB);
  s3Link.back();
  const run = await endOf(session, 'backup', 1, 120_000);
  const seen = await places();
  assert.equal(run.state, 'done_with_problems', JSON.stringify(run));
  assert.ok(seen.disk.states.includes('Writing') && seen.box.states.includes('Writing'), JSON.stringify(seen));
  assert.ok(seen['web space'].states.includes('Failed'), JSON.stringify(seen));
  assert.ok(!seen.cloud.states.includes('Failed') && !seen.box.states.includes('Failed'), JSON.stringify(seen));
  await session.see('This backup did not get to web space yet', 30_000);
  await look(session, 'everywhere-run-ended');
  s3Link.slow(0);
  sshLink.slow(0);
  const files = await Promise.all(['disk', 'box', 'ftp/root'].map((folder) => archivesIn(join(scene.folder, folder))));
  assert.deepEqual(files.map((names) => names.length), [1, 1, 0], JSON.stringify(files));
});

test('Sync makes good what failed, though the server has nothing any more', async () => {
  ftp.readOnly(false);
  await rename(site, `${site}-away`);
  await session.click('button', 'Sync now: web space');
  const run = await endOf(session, 'sync');
  await go('Activity');
  await session.click('row', /Sync web space/);
  assert.equal(run.state, 'done', JSON.stringify(run));
  await session.see('copied to web space');
  await look(session, 'everywhere-sync');
  const [there] = await archivesIn(ftp.root);
  const [first] = await archivesIn(join(scene.folder, 'disk'));
  assert.equal(sha256(await readFile(join(ftp.root, there))), sha256(await readFile(join(scene.folder, 'disk', first))));
});

test('an archive lost behind our back is noticed and brought back', async () => {
  const folder = join(scene.folder, 'box');
  const [lost] = await archivesIn(folder);
  await rm(join(folder, lost));
  await go('Destinations');
  await session.click('row', /^box/);
  await session.click('button', 'Look again');
  await session.see('1 backup did not get here yet', 30_000);
  await look(session, 'everywhere-missing');
  await session.click('button', 'Sync now');
  const run = await endOf(session, 'sync', 2);
  assert.equal(run.state, 'done', JSON.stringify(run));
  await session.gone('did not get here yet');
  assert.deepEqual(await archivesIn(folder), [lost]);
  await rename(`${site}-away`, site);
});

test('the backup shows its four copies, and what each destination holds is known', async () => {
  await go('Backups');
  await look(session, 'everywhere-backups');
  await session.click('row', /site nightly/);
  await session.click('tab', /^Copies 4$/);
  await look(session, 'everywhere-copies', { large: true });
  const rows = await session.invoke('destinations');
  const [file] = await archivesIn(join(scene.folder, 'disk'));
  const { size } = await stat(join(scene.folder, 'disk', file));
  for (const row of rows) assert.ok(row.used_bytes > size, `${row.name}: ${row.used_bytes} used`);
  await go('Destinations');
  await look(session, 'everywhere-destinations');
  await session.click('row', /^cloud/);
  await look(session, 'everywhere-destination');
});

test('the archive is downloaded from the bucket as it lies there', async () => {
  const out = join(scene.folder, 'downloads');
  await mkdir(out);
  await go('Backups');
  await session.click('row', /site nightly/);
  await session.click('button', 'Open its page');
  await session.click('button', 'Download…');
  await session.click('radio', /^As it lies there/);
  await session.fill('Into this folder', out);
  await session.choose('From', 'cloud');
  await look(session, 'everywhere-download');
  await session.click('button', 'Download', { exact: true });
  const run = await endOf(session, 'download');
  assert.equal(run.state, 'done', JSON.stringify(run));
  const [file] = await archivesIn(join(scene.folder, 'disk'));
  const [loaded] = await archivesIn(out);
  assert.equal(sha256(await readFile(join(out, loaded))), sha256(await readFile(join(scene.folder, 'disk', file))));
});

let link;

test('a temporary link gives the archive to whoever has it', async () => {
  await session.click('tab', /^Copies/);
  await look(session, 'everywhere-page-copies');
  await session.click('button', /^Temporary link… to the copy at cloud/);
  await session.see('The file is sealed');
  await session.click('button', 'Make the link');
  const field = await session.get('textbox', 'Link', { exact: true });
  link = await session.run((input) => input.value, field);
  await look(session, 'everywhere-link');
  await session.click('button', 'Close', { exact: true });
  const response = await fetch(link);
  assert.equal(response.status, 200);
  const [file] = await archivesIn(join(scene.folder, 'disk'));
  assert.equal(sha256(Buffer.from(await response.arrayBuffer())), sha256(await readFile(join(scene.folder, 'disk', file))));
  const other = await fetch(link.replace(/acme\//, 'acme%2Fother/'));
  assert.equal(other.status, 403, 'a link for one file opens no other');
});

test('a backup is deleted everywhere, after it was confirmed', async () => {
  await runEnd(session, await session.invoke('start_backup', { plan: (await session.invoke('plans'))[0].id }));
  await go('Backups');
  await session.see('2 backups');
  await session.click('row', /site nightly/, { nth: 1 });
  await session.click('button', 'Open its page');
  await session.click('button', 'Delete…');
  await session.see('It cannot be brought back');
  await look(session, 'everywhere-delete');
  await session.click('button', 'Delete the backup');
  await session.see('1 backup', 30_000);
  assert.equal((await session.invoke('backups', { filter: {} })).total, 1);
  for (const folder of ['disk', 'box', 'ftp/root']) assert.equal((await archivesIn(join(scene.folder, folder))).length, 1, folder);
  assert.equal((await fetch(link)).status, 404, 'it is gone from the bucket too');
});

test('a new computer opens the bucket with the words of the kit: the backups and the plan are there', async () => {
  await session.end();
  const old = scene.state;
  scene.state = join(scene.folder, 'state-2');
  session = await scene.open();
  await session.see('Overview');
  await look(session, 'everywhere-new-overview');
  await go('Destinations');
  await session.click('button', 'I have backups already');
  await choosePlace(session, /Other S3/);
  await fillS3(session, bucket());
  await session.click('button', 'Look there');
  await session.fill('Words of the recovery kit', kit.map((word, i) => `${i + 1} ${word}`).join(' '));
  await look(session, 'everywhere-open-key');
  await session.click('button', 'Open it', { timeout: 60_000 });
  await session.see('1 backup found at', 30_000);
  await look(session, 'everywhere-open-found');
  await session.click('button', 'Take over these settings');
  await session.see('Taken over: 1 plan, 3 destinations.', 30_000);
  await look(session, 'everywhere-open-done');
  await session.click('button', 'Show the backups');
  await session.see('site nightly');
  await session.click('row', /site nightly/);
  await session.get('treeitem', /heavy/, { timeout: 30_000 });
  await look(session, 'everywhere-open-backup', { large: true });
  const out = join(scene.folder, 'brought-back');
  await mkdir(out);
  await session.click('button', 'Download…');
  await session.click('radio', /^\.tar\.gz/);
  await session.fill('Into this folder', out);
  await session.click('button', 'Download', { exact: true });
  const run = await endOf(session, 'download', 1, 120_000);
  assert.equal(run.state, 'done', JSON.stringify(run));
  const [file] = await readdir(out);
  untar(join(out, file), out);
  await assertSame(saved, join(out, site));
  await go('Plans');
  await session.see('site nightly');
  for (const state of [old, scene.state]) {
    for (const secret of [s3.secretKey, ftp.password, kit.join(''), kit.join('-')]) {
      assert.equal(spawnSync('grep', ['-rlF', '--', secret, state], { encoding: 'utf8' }).stdout, '', 'no secret lies in the clear');
    }
  }
});

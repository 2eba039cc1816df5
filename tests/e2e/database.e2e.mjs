// A database of a server: found over SSH, ticked, backed up, seen in the backup, lost, brought back. In the real window.
import assert from 'node:assert/strict';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { startSshd } from '../../scripts/bench/sshd.mjs';
import { Scene, SCREENS } from './lib/app.mjs';
import { startMariaDb, whyNoMariaDb } from './lib/mariadb.mjs';
import { addVault } from './lib/ready.mjs';
import { journey } from './lib/steps.mjs';
import { acceptKeys, backUpNow, endOf, finishPlan, go, takeAllOut } from './lib/wizard.mjs';

const missing = whyNoMariaDb();
const test = journey(missing);
let scene;
let sshd;
let database;
let session;

before(async () => {
  if (missing) return;
  scene = await Scene.make('database');
  // MariaDB's own user must get through to its folder.
  await chmod(scene.folder, 0o755);
  const home = join(scene.folder, 'server-home');
  await mkdir(home);
  database = await startMariaDb(join(scene.folder, 'mariadb'), home);
  database.sql("create database shop; create table shop.orders (id int primary key, what text); insert into shop.orders values (1, 'rope'), (2, 'sail'); create database blog;");
  sshd = await startSshd(join(scene.folder, 'sshd'), [`SetEnv HOME=${home}`]);
  session = await scene.open();
  await session.see('Overview');
  await addVault(session, scene);
});

after(async () => {
  await session?.screenshot(join(SCREENS, 'database-last.png')).catch(() => {});
  await session?.end();
  sshd?.stop();
  await database?.stop();
  await scene?.remove();
});

test('the databases of a server are found', async () => {
  await go(session, 'Servers');
  await session.click('button', 'Add a server');
  await session.fill('Address', '127.0.0.1');
  await session.fill('Port', String(sshd.port));
  await session.fill('Name', 'db-1');
  await session.click('button', 'Continue');
  await session.fill('User', sshd.user);
  await session.click('radio', 'Key file');
  await session.fill('Private key file', sshd.key);
  await session.click('button', 'Continue');
  await acceptKeys(session, 1);
  await session.see('Works', 30_000);
  await session.click('button', 'Continue');
  await session.see('shop', 60_000);
  await session.click('button', 'Save, and make a plan of it');
});

test('one of them is ticked, and backed up', async () => {
  await takeAllOut(session);
  await session.click('checkbox', /: shop$/);
  await session.get('button', 'Take MySQL or MariaDB out of the plan');
  await finishPlan(session, 'shop nightly');
  const run = await backUpNow(session);
  assert.equal(run.state, 'done', JSON.stringify(run));
});

test('its dump is seen in the backup, and the other database is not', async () => {
  await go(session, 'Backups');
  await session.click('row', /shop nightly/);
  await session.click('tab', 'Contents');
  await session.fill('Search in this backup', 'sql');
  const lines = await session.get('treeitem', /shop\.sql/).then(() => session.all('treeitem', /\.sql/));
  assert.equal(lines.length, 1);
});

test('dropped, it is restored as it was', async () => {
  const before = database.sql('select * from shop.orders order by id;');
  database.sql('drop database shop;');
  await session.click('button', 'Restore…');
  await session.click('button', 'Continue');
  await session.click('button', 'Show what would happen');
  await session.see('database shop', 30_000);
  await session.settle();
  await session.screenshot(join(SCREENS, 'restore-database.png'));
  await session.click('button', 'Restore to db-1');
  const dialog = await session.get('dialog');
  await session.click('button', 'Restore to db-1', { within: dialog });
  await session.see('Restored to db-1', 60_000);
  assert.equal((await endOf(session, 'restore')).state, 'done');
  assert.equal(database.sql('select * from shop.orders order by id;'), before);
});

// A scene with data in it, made through Backstay's own commands: for journeys about something else than making it.
import { mkdir, writeFile, appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeSite } from './files.mjs';
import { waitFor } from './webdriver.mjs';

/** Waits until a run has ended, and returns its row. */
export async function runEnd(session, run, timeoutMs = 90_000) {
  return waitFor(`run ${run} to end`, async () => {
    const { row } = await session.invoke('run', { id: run });
    return ['waiting', 'running'].includes(row.state) ? null : row;
  }, timeoutMs);
}

/** Adds a vault in the scene's folder; returns it. */
export async function addVault(session, scene, name = 'disk') {
  const draft = { name, kind: 'local', path: join(scene.folder, name), vault_password: null };
  const added = await session.invoke('add_destination', { draft });
  const word = added.kit.words[added.ask_word - 1];
  await session.invoke('confirm_recovery_kit', { id: added.destination.id, wordNumber: added.ask_word, word });
  return added.destination;
}

/** Adds a plan for folders of this computer; returns it. */
export async function addPlan(session, name, destination, paths, excludes = []) {
  const servers = await session.invoke('servers');
  const settings = { kind: 'files', paths, excludes, one_file_system: false };
  const draft = { id: null, name, server: servers.find((server) => server.local).id, destinations: [destination.id], items: [{ name: '', settings, password: null }] };
  return (await session.invoke('save_plan', { draft })).row;
}

/** Fills a scene: a vault, two plans, three backups, a download, a failed run. */
export async function fill(session, scene) {
  const site = join(scene.folder, 'site');
  await makeSite(site);
  await mkdir(join(scene.folder, 'mail'));
  await writeFile(join(scene.folder, 'mail/inbox'), 'a letter\n'.repeat(5000));
  const vault = await addVault(session, scene);
  const plan = await addPlan(session, 'site nightly', vault, [site], ['*.tmp']);
  const mail = await addPlan(session, 'mail nightly', vault, [join(scene.folder, 'mail')]);
  const back = async (of) => runEnd(session, await session.invoke('start_backup', { plan: of.id }));
  await back(plan);
  await back(mail);
  await appendFile(join(site, 'pages/page-5.html'), 'changed\n');
  await writeFile(join(site, 'pages/new.html'), 'new\n');
  const second = await back(plan);
  const request = { backups: [second.backup], paths: [], format: 'zip', folder: scene.home };
  await runEnd(session, await session.invoke('start_download', { request }));
  await rm(join(scene.folder, 'mail'), { recursive: true });
  await back(mail);
  await mkdir(join(scene.folder, 'mail'));
  return { site, vault, plan, backup: second.backup };
}

// `npm run bench`: Backstay beside its peers, on the same tree, in the same run. Prints a table and writes
// target/bench/result.json. No test looks at these numbers.
//
//   npm run bench -- [--runs N] [--only backup,restore,window,destinations] [--parts s3-upload,sftp,…] [--backstay PATH]
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, median } from './run.mjs';
import { startSshd } from './sshd.mjs';
import { changeOnePercent, makeTree, sha256 } from './tree.mjs';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '2' },
    only: { type: 'string', default: 'backup,restore,window,destinations' },
    parts: { type: 'string' },
    backstay: { type: 'string' },
  },
});
const runs = Number(options.runs);
const wanted = new Set(options.only.split(','));
const top = resolve(import.meta.dirname, '../..');
const work = join(top, 'target', 'bench');
mkdirSync(work, { recursive: true });
const tree = join(work, 'tree');

function has(program) {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function backstayBinary() {
  if (options.backstay) return resolve(options.backstay);
  console.log('Building backstay (release)…');
  const at = { cwd: top, stdio: 'inherit' };
  // The window's numbers are those of the app, which holds the built screens.
  if (wanted.has('window')) execFileSync('npm', ['run', '--silent', 'ui:build'], at);
  const app = wanted.has('window') ? ['-p', 'backstay-app', '--features', 'backstay-app/window'] : [];
  execFileSync('cargo', ['build', '--release', '-p', 'backstay-cli', ...app], at);
  return join(process.env.CARGO_TARGET_DIR ?? join(top, 'target'), 'release', 'backstay');
}

const rows = [];
const say = (text) => console.log(text);

/** Adds a line to the table: ours against a peer's, with the bar. */
function row(what, ours, peer, bar, unit = 's') {
  const ratio = peer === undefined ? ours : ours / peer;
  rows.push({ what, ours, peer, ratio, bar, unit, ok: bar === null || ratio <= bar });
}

async function backstayBench(bin, sshd, dir, round) {
  const env = { BACKSTAY_HOME: join(dir, 'home'), BACKSTAY_NO_KEYRING: '1', BACKSTAY_PASSPHRASE: 'bench' };
  const run = (...argv) => measure([bin, ...argv], { env });
  await run('server', 'add', 'bench', '--ssh', `${sshd.user}@127.0.0.1:${sshd.port}`, '--key', sshd.key, '--trust-first-use');
  await run('destination', 'add', 'vault', 'local', join(dir, 'vault'));
  await run('plan', 'add', 'bench', '--server', 'bench', '--item', `files:${tree}`, '--to', 'vault');
  const first = await run('backup', 'bench');
  const unchanged = await run('backup', 'bench');
  changeOnePercent(tree, round);
  const changed = await run('backup', 'bench');
  let restore;
  if (wanted.has('restore')) {
    const target = join(dir, 'restored');
    restore = await run('restore', 'bench@latest', '--to', `bench:${target}`, '--yes');
    proveRestore(target);
  }
  return { first, unchanged, changed, restore };
}

/** A restore that is fast but wrong is worth nothing: compare some files of the middle of the tree. */
function proveRestore(target) {
  const found = execFileSync('find', [target, '-path', '*project-42/src/part-4/file-7.rs'], { encoding: 'utf8' }).trim();
  if (!found || sha256(found) !== sha256(join(tree, 'project-42/src/part-4/file-7.rs'))) {
    throw new Error(`The restore below ${target} does not hold the tree's bytes`);
  }
}

async function resticPush(sshd, dir) {
  const repo = join(dir, 'restic-push');
  const ssh = ['ssh', ...sshd.sshOptions, `${sshd.user}@127.0.0.1`, '-s', 'sftp'].join(' ');
  const base = ['restic', '-r', `sftp:${sshd.user}@127.0.0.1:${repo}`, '-o', `sftp.command=${ssh}`, '--no-cache', '-q'];
  const env = { RESTIC_PASSWORD: 'bench' };
  await measure([...base, 'init'], { env });
  const first = await measure([...base, 'backup', tree], { env });
  const second = await measure([...base, 'backup', tree], { env });
  let restore;
  if (wanted.has('restore')) {
    const target = join(dir, 'restic-restored');
    restore = await measure(['restic', '-r', repo, '--no-cache', '-q', 'restore', 'latest', '--target', target], { env });
  }
  return { first, second, restore };
}

async function resticSshfs(sshd, dir) {
  const mount = join(dir, 'mount');
  mkdirSync(mount);
  const ssh = ['ssh', ...sshd.sshOptions].join(' ');
  await measure(['sshfs', `${sshd.user}@127.0.0.1:${tree}`, mount, '-o', `ssh_command=${ssh}`]);
  try {
    const base = ['restic', '-r', join(dir, 'restic-pull'), '--no-cache', '-q'];
    const env = { RESTIC_PASSWORD: 'bench' };
    await measure([...base, 'init'], { env });
    return await measure([...base, 'backup', mount], { env });
  } finally {
    execFileSync('umount', [mount]);
  }
}

/** Written when a run deleted its folders. */
const deletedStamp = join(work, 'deleted');
/** How long ext4 remembers a deleted inode whose block was not written yet, and a little. */
const DELETED_IS_NEAR = 6 * 60_000;

async function forgetDeleted() {
  if (!existsSync(deletedStamp)) return;
  const left = statSync(deletedStamp).mtimeMs + DELETED_IS_NEAR - Date.now();
  if (left <= 0) return;
  say(`Waiting ${Math.ceil(left / 1000)} s, until the disk has forgotten the files of the run before…`);
  await new Promise((resolve) => setTimeout(resolve, left));
}

async function backupBench(bin) {
  for (const program of ['restic', 'sshfs', 'ssh', 'ssh-keygen']) {
    if (!has(program)) throw new Error(`The benchmark needs ${program}: install it and run again`);
  }
  say('Making the tree…');
  const { files, bytes } = makeTree(tree);
  say(`${files} files, ${(bytes / 1e9).toFixed(2)} GB. ${runs} rounds.`);
  execFileSync('sh', ['-c', 'tar cf - "$1" | cat >/dev/null', 'sh', tree], { stdio: ['ignore', 'ignore', 'ignore'] });
  const all = { ours: [], push: [], sshfs: [] };
  // For some minutes after many files were deleted, ext4 makes new files many times slower (it passes over each inode that
  // was in use lately), which would be measured instead of a restore. So all rounds' folders stay until the last one, and
  // a run soon after another waits.
  await forgetDeleted();
  const folders = [];
  try {
    for (let round = 0; round < runs; round++) {
      const dir = mkdtempSync(join(work, 'round-'));
      folders.push(dir);
      const sshd = await startSshd(join(dir, 'sshd'));
      try {
        // Whoever comes later finds less memory that was used before and more writes on their way: turns are taken.
        const turns = [
          async () => all.push.push(await resticPush(sshd, dir)),
          async () => all.ours.push(await backstayBench(bin, sshd, dir, round)),
        ];
        for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
        if (round === 0 && existsSync('/dev/fuse')) all.sshfs.push(await resticSshfs(sshd, dir));
        const parts = (one) => Object.entries(one).filter(([, part]) => part).map(([name, part]) => `${name} ${part.seconds.toFixed(1)}`).join(', ');
        say(`round ${round + 1}: ours ${parts(all.ours.at(-1))}; restic push ${parts(all.push.at(-1))} (seconds)`);
      } finally {
        sshd.stop();
      }
    }
  } finally {
    for (const dir of folders) rmSync(dir, { recursive: true, force: true });
    writeFileSync(deletedStamp, '');
  }
  const seconds = (list, part) => median(list.map((one) => one[part].seconds));
  const first = seconds(all.ours, 'first');
  const unchanged = seconds(all.ours, 'unchanged');
  row('first backup / restic pushing by SFTP', first, seconds(all.push, 'first'), 1.3);
  if (all.sshfs.length > 0) row('first backup / restic pulling through sshfs', first, median(all.sshfs.map((one) => one.seconds)), 0.4);
  else say('skipped: restic through sshfs needs /dev/fuse');
  row('second backup, unchanged / restic’s second', unchanged, seconds(all.push, 'second'), 1.0);
  row('second backup, 1 % changed / unchanged one', seconds(all.ours, 'changed'), unchanged, 1.3);
  if (wanted.has('restore')) row('restore to the server / restic restore to a folder', seconds(all.ours, 'restore'), seconds(all.push, 'restore'), 1.5);
  const peaks = all.ours.flatMap((one) => Object.values(one).filter(Boolean).map((part) => part.peakMib));
  row('peak memory of the process', Math.max(...peaks), undefined, 400, 'MiB');
}

const bin = backstayBinary();
if (wanted.has('backup')) await backupBench(bin);
if (wanted.has('window') && readdirSync(import.meta.dirname).includes('window.mjs')) {
  const { windowBench } = await import('./window.mjs');
  for (const line of await windowBench(bin)) row(line.what, line.ours, undefined, line.bar, line.unit);
}
if (wanted.has('destinations')) {
  const { destinationsBench } = await import('./destinations.mjs');
  if (!existsSync(tree)) makeTree(tree);
  const only = options.parts ? new Set(options.parts.split(',')) : undefined;
  await destinationsBench({ bin, top, work, tree, runs, row, say, has, only });
}
say('');
const cell = (value, unit) => (value === undefined ? '' : `${value.toFixed(2)} ${unit}`);
for (const one of rows) {
  const peer = one.peer === undefined ? '' : `peer ${cell(one.peer, one.unit)}  ratio ${one.ratio.toFixed(2)}`;
  say(`${one.ok ? 'ok  ' : 'OVER'}  ${one.what.padEnd(52)} ${cell(one.ours, one.unit).padStart(11)}  ${peer}  ${one.bar === null ? '' : `bar ${one.bar}`}`);
}
writeFileSync(join(work, 'result.json'), JSON.stringify(rows, null, 2));

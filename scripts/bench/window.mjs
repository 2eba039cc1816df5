// The window's own numbers: from the start of the process to its first paint and to its first page, a list of 10,000 backups
// to its first rows (in a window at rest, and in one that is just being drawn), the app's memory while it backs up the bench
// tree over SSH, and how many events a run sends. The app must be built; it is driven as in tests/e2e, on a display of its own.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Session, waitFor } from '../../tests/e2e/lib/webdriver.mjs';
import { median } from './run.mjs';
import { startSshd } from './sshd.mjs';
import { makeTree } from './tree.mjs';

const BACKUPS = 10_000;
const STARTS = 3;
/** After so long a window just opened has come to rest. */
const REST_MS = 1_500;
const FIRST_PAINT_BAR_S = 1;
const FIRST_ROWS_BAR_S = 0.3;
const PEAK_BAR_MIB = 400;
const EVENTS_BAR = 10;

/** When a process began, in milliseconds since 1970. */
function startedAt(pid) {
  const ticks = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[19]);
  const perSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const bootedAt = Date.now() - Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  return bootedAt + (ticks / perSecond) * 1000;
}

async function firstPaint(app, env) {
  const session = await Session.start(app, env);
  try {
    const painted = await session.runAsync(async () => {
      for (;;) {
        const [entry] = performance.getEntriesByName('first-contentful-paint');
        if (entry) return performance.timeOrigin + entry.startTime;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    const drawn = await session.runAsync(async () => {
      for (;;) {
        const [mark] = performance.getEntriesByName('backstay-drawn');
        if (mark) return performance.timeOrigin + mark.startTime;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    const since = startedAt(session.pid);
    return { painted: (painted - since) / 1000, drawn: (drawn - since) / 1000 };
  } finally {
    await session.end();
  }
}

/** Copies one real row of the list until there are 10,000, each a minute older. */
function multiply(home) {
  const columns = 'destination, server, server_name, plan, plan_name, kinds, problems, bytes, bytes_added';
  const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${BACKUPS - 1})
    INSERT INTO backups (id, started_ns, record, ${columns})
    SELECT printf('%064x', i), started_ns - i * 60000000000, replace(record, b.id, printf('%064x', i)), ${columns} FROM n, (SELECT * FROM backups LIMIT 1) b;`;
  execFileSync('sqlite3', [join(home, 'backstay.db'), sql]);
}

/** From a click on Backups to the frame after its first rows. `rest`: the window stood so long (ms) since its first paint. */
async function firstRows(app, env, rest) {
  const session = await Session.start(app, env);
  try {
    await session.see('Overview');
    const measured = await session.runAsync(async (rest) => {
      await new Promise((resolve) => setTimeout(resolve, rest));
      const link = [...document.querySelectorAll('nav a')].find((one) => one.textContent.startsWith('Backups'));
      const begun = performance.now();
      link.click();
      while (document.querySelectorAll('[role=grid] [role=row]').length < 10) await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      return { seconds: (performance.now() - begun) / 1000, text: document.body.innerText };
    }, rest);
    if (!/10[, ]?000 backups/.test(measured.text)) throw new Error('The list does not show 10,000 backups');
    return measured.seconds;
  } finally {
    await session.end();
  }
}

/** Backs the plan up in the window; returns the app's peak memory, and the most events of the run within a second. */
async function backUp(app, env, plan) {
  const session = await Session.start(app, env);
  try {
    await session.see('Overview');
    await session.invoke('secrets_unlock', { passphrase: env.BACKSTAY_PASSPHRASE });
    const id = await session.runAsync(async (name) => {
      const { invoke, transformCallback } = window.__TAURI_INTERNALS__;
      // Takes the place of the window's own channel: what is counted is what is sent.
      window.__heard = [];
      const channel = transformCallback(({ message }) => window.__heard.push([performance.now(), message?.type, message?.progress?.run ?? message?.run?.id]));
      await invoke('subscribe', { channel: `__CHANNEL__:${channel}` });
      const plans = await invoke('plans');
      return invoke('start_backup', { plan: plans.find((row) => row.name === name).id });
    }, plan);
    const row = await waitFor('the backup to end', async () => {
      const { row } = await session.invoke('run', { id });
      return ['waiting', 'running'].includes(row.state) ? null : row;
    }, 600_000);
    if (row.state !== 'done') throw new Error(`The backup in the window ended ${row.state}: ${JSON.stringify(row.error)}`);
    const times = (await session.run(() => window.__heard)).filter(([, , run]) => run === id).map(([at]) => at);
    if (times.length < 5) throw new Error(`Only ${times.length} events were heard`);
    const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
    const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${session.pid}/status`, 'utf8'))[1]) / 1024;
    return { most, peak };
  } finally {
    await session.end();
  }
}

/** Measures; returns rows for the table. Runs itself again on a display and a message bus of its own. */
export async function windowBench(cli) {
  const missing = ['xvfb-run', 'WebKitWebDriver', 'dbus-run-session', 'sqlite3'].filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0) {
    console.log(`skipped: the window's numbers need ${missing.join(', ')}`);
    return [];
  }
  const app = process.env.BACKSTAY_APP_BINARY ?? join(dirname(cli), 'backstay-app');
  if (!existsSync(app)) {
    console.log('skipped: the window\'s numbers need the app beside the command line: cargo build --release -p backstay-app --features backstay-app/window');
    return [];
  }
  const inner = spawnSync('xvfb-run', ['-a', '-s', '-screen 0 1280x800x24', 'dbus-run-session', '--', process.execPath, fileURLToPath(import.meta.url), cli, app], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NO_AT_BRIDGE: '1' },
  });
  if (inner.status !== 0) throw new Error('The window could not be measured');
  return JSON.parse(inner.stdout.trim().split('\n').at(-1));
}

async function main(cli, app) {
  const folder = mkdtempSync(join(tmpdir(), 'backstay-bench-window-'));
  const home = join(folder, 'home');
  const env = { ...process.env, BACKSTAY_HOME: home, BACKSTAY_NO_KEYRING: '1', BACKSTAY_PASSPHRASE: 'bench' };
  const tree = join(import.meta.dirname, '../../target/bench/tree');
  makeTree(tree);
  const backstay = (...args) => execFileSync(cli, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    backstay('destination', 'add', 'vault', 'local', join(folder, 'vault'));
    backstay('plan', 'add', 'docs', '--server', 'This computer', '--item', `files:${import.meta.dirname}`, '--to', 'vault');
    backstay('backup', 'docs');
    multiply(home);
    const paints = [];
    const lists = [];
    const listsAtOnce = [];
    for (let n = 0; n < STARTS; n++) {
      paints.push(await firstPaint(app, env));
      lists.push(await firstRows(app, env, REST_MS));
      listsAtOnce.push(await firstRows(app, env, 0));
    }
    const sshd = await startSshd(join(folder, 'sshd'));
    let heavy;
    try {
      backstay('server', 'add', 'bench', '--ssh', `${sshd.user}@127.0.0.1:${sshd.port}`, '--key', sshd.key, '--trust-first-use');
      backstay('plan', 'add', 'tree', '--server', 'bench', '--item', `files:${tree}`, '--to', 'vault');
      heavy = await backUp(app, env, 'tree');
    } finally {
      sshd.stop();
    }
    const row = (what, ours, bar, unit) => ({ what, ours, bar, unit });
    console.log(JSON.stringify([
      row('window: start of the process to first paint', median(paints.map(({ painted }) => painted)), FIRST_PAINT_BAR_S, 's'),
      row('window: the same to the first page drawn by its scripts', median(paints.map(({ drawn }) => drawn)), FIRST_PAINT_BAR_S, 's'),
      row('window: a list of 10,000 backups to its first rows', median(lists), FIRST_ROWS_BAR_S, 's'),
      row('the same, clicked in the moment of the first paint', median(listsAtOnce), null, 's'),
      row('window: peak memory of the app in a backup', heavy.peak, PEAK_BAR_MIB, 'MiB'),
      row('window: most events of a run within a second', heavy.most, EVENTS_BAR, ''),
    ]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2], process.argv[3]);

// What npm test does once Node is new enough: parts one after another, each counted, the summary last.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureFtpServers } from './ftp-servers.mjs';
import { ROOT, ask, ensureNodeModules, ensurePackages, ensureRust, has, run, say, targetFolder } from './system.mjs';

const WINDOWS = 'x86_64-pc-windows-gnu';
const RESULTS = join(ROOT, 'test-results');

/** Runs a program, shows its output and keeps it. */
function watch(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, ...options, env: { ...process.env, CARGO_TERM_COLOR: 'never', ...options.env } });
    let text = '';
    for (const [stream, out] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
      stream.on('data', (data) => {
        text += data;
        out.write(data);
      });
    }
    child.on('error', (error) => resolve({ ok: false, text: `${text}\nCannot run ${program}: ${error.message}` }));
    child.on('close', (code) => resolve({ ok: code === 0, text }));
  });
}

/** The summary of Node's test runner, in both of its forms. */
const NODE_PASSED = /^(?:#|ℹ) pass (\d+)/gm;
const NODE_FAILED = /^(?:#|ℹ) fail (\d+)/gm;

const sum = (text, pattern) => [...text.matchAll(pattern)].reduce((all, match) => all + Number(match[1]), 0);

/** What a runner says of each test that failed, to be read again below the summary: the place it stands at is far above. */
const FAILURES = [
  // Node's test runner, in TAP: the name, and the block of its error.
  /^ *not ok \d+ - (?!.*# (?:SKIP|TODO))[^\n]*(?:\n +(?! |\.\.\.$)[^\n]*){0,60}/gm,
  // Rust: the test, and what it panicked with.
  /^test [^\n]* \.\.\. FAILED$/gm,
  /^thread '[^\n]*' (?:\(\d+\) )?panicked at [^\n]*(?:\n(?!stack backtrace:|note: )[^\n]*){0,8}/gm,
  // Vitest.
  /^ *FAIL {2}[^\n]*\n[^\n]*/gm,
];

/** Returns what a failed runner said of its failures, in the order of the runner; of one that kept silent, its last lines. */
function reasons({ ok, text }) {
  if (ok) return [];
  const found = FAILURES.flatMap((pattern) => text.match(pattern) ?? []);
  return found.length > 0 ? found : [text.trimEnd().split('\n').slice(-20).join('\n')];
}

/** One check counts as one test. */
async function check(program, args, options) {
  const result = await watch(program, args, options);
  return { passed: result.ok ? 1 : 0, failed: result.ok ? 0 : 1, reasons: reasons(result) };
}

/** Counts from a runner's own summary; a runner that fails without saying how many counts as one failure. */
function counted({ ok, text }, passed, failed) {
  const result = { passed: sum(text, passed), failed: sum(text, failed), reasons: reasons({ ok, text }) };
  if (!ok && result.failed === 0) result.failed = 1;
  if (ok && result.passed === 0) return { passed: 0, failed: 1, note: 'no test ran' };
  return result;
}

async function cargoTest() {
  const result = await watch('cargo', ['test', '--workspace', '--no-fail-fast', '--', '--nocapture']);
  const skipped = [...new Set(result.text.split('\n').filter((line) => /^skipped: /.test(line)))];
  const counts = counted(result, /^test result: .*? (\d+) passed/gm, /^test result: .*? (\d+) failed/gm);
  return { ...counts, skipped };
}

async function uiBrowser() {
  const result = await watch('npm', ['run', '--silent', 'ui:browser']);
  const skipped = result.text.split('\n').filter((line) => /^skipped: /.test(line));
  if (result.ok && skipped.length > 0) return { passed: 0, failed: 0, skipped };
  return counted(result, NODE_PASSED, NODE_FAILED);
}

/** The check for Windows has its own target folder: other flags would rebuild everything each time. */
async function windows() {
  if (!ask('rustup', ['target', 'list', '--installed'])?.includes(WINDOWS) && !run('rustup', ['target', 'add', WINDOWS])) {
    return { passed: 0, failed: 0, skipped: [`skipped: the check for Windows needs the Rust target ${WINDOWS}, which could not be added`] };
  }
  if (!has('x86_64-w64-mingw32-gcc')) {
    return { passed: 0, failed: 0, skipped: ['skipped: the check for Windows needs gcc-mingw-w64-x86-64'] };
  }
  const env = { CARGO_TARGET_DIR: join(targetFolder(), 'windows') };
  return check('cargo', ['check', '--workspace', '--target', WINDOWS], { env });
}

async function journeys() {
  const built = await watch('cargo', ['build', '-p', 'backstay-app', '-p', 'backstay-cli', '--features', 'backstay-app/window']);
  if (!built.ok) return { passed: 0, failed: 1, note: 'the app did not build', reasons: reasons(built) };
  // As a part of the workspace it has the features that the Rust tests built it with, and is there already.
  const store = await watch('cargo', ['build', '--workspace', '--example', 's3_server']);
  if (!store.ok) return { passed: 0, failed: 1, note: 'the S3 server of the lab did not build', reasons: reasons(store) };
  const bin = (name) => join(targetFolder(), 'debug', name);
  const env = { BACKSTAY_APP_BINARY: bin('backstay-app'), BACKSTAY_CLI_BINARY: bin('backstay'), BACKSTAY_S3_BINARY: bin('examples/s3_server') };
  const result = await watch('node', ['tests/e2e/run.mjs'], { env });
  const skipped = [...new Set(result.text.split('\n').filter((line) => /^(# )?skipped: /.test(line)).map((line) => line.replace(/^# /, '')))];
  return { ...counted(result, NODE_PASSED, NODE_FAILED), skipped };
}

const PARTS = [
  ['rust', 'format of the Rust code', () => check('cargo', ['fmt', '--all', '--check'])],
  ['rust', 'layers', () => check('node', ['scripts/layers.mjs'])],
  ['rust', 'clippy', () => check('cargo', ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings'])],
  ['rust', 'Rust tests', cargoTest],
  ['ui', 'lint of the window', () => check('npm', ['run', '--silent', 'ui:lint'])],
  ['ui', 'types of the window', () => check('npm', ['run', '--silent', 'ui:types'])],
  ['ui', 'unit tests of the window', async () => counted(await watch('npm', ['run', '--silent', 'ui:unit'], { env: { NO_COLOR: '1' } }), /^\s*Tests\s.*?(\d+) passed/gm, /^\s*Tests\s.*?(\d+) failed/gm)],
  ['ui', 'screens in Chromium', uiBrowser],
  ['windows', 'check for Windows', windows],
  ['e2e', 'journeys in the real window', journeys],
];

async function prepare() {
  if (!ensureRust() || !ensureNodeModules()) return false;
  // The embedded screens are part of the app: every build of it needs them.
  return run('npm', ['run', '--silent', 'ui:build']);
}

/** Runs the parts asked for, or all; returns the exit code. */
export async function main(wanted) {
  // Tests compare modes of files that they and the servers they start make: whoever runs them may have another umask.
  process.umask(0o022);
  mkdirSync(RESULTS, { recursive: true });
  const packages = ensurePackages('base', 'window', 'lab', 'journeys', 'windows');
  if (!packages && !ensurePackages('base', 'window')) return 1;
  if (!prepareComponents() || !(await prepare())) return 1;
  if (process.platform === 'linux') ensureFtpServers();
  const rows = [];
  for (const [part, title, test] of PARTS) {
    if (wanted.length > 0 && !wanted.includes(part)) continue;
    say(`\n== ${title}`);
    const begun = Date.now();
    const result = await test();
    rows.push({ title, seconds: Math.round((Date.now() - begun) / 1000), skipped: [], note: '', reasons: [], ...result });
  }
  return summary(rows);
}

/** rustfmt and clippy may be missing beside a Rust that was there before. */
function prepareComponents() {
  if (ask('cargo', ['clippy', '--version']) && ask('cargo', ['fmt', '--version'])) return true;
  return has('rustup') ? run('rustup', ['component', 'add', 'clippy', 'rustfmt']) : ensureRust();
}

function summary(rows) {
  say('\n== Summary');
  for (const row of rows) {
    const counts = `${row.passed} passed, ${row.failed} failed`;
    console.log(`${row.failed > 0 ? 'FAILED' : 'ok    '}  ${row.title.padEnd(30)} ${counts.padEnd(24)} ${row.seconds} s  ${row.note}`);
    for (const line of row.skipped) console.log(`          ${line}`);
  }
  for (const row of rows.filter(({ reasons }) => reasons.length > 0)) {
    say(`\n== What failed: ${row.title}`);
    for (const reason of row.reasons) console.log(reason);
  }
  writeFileSync(join(RESULTS, 'summary.json'), JSON.stringify(rows, null, 2));
  const total = (key) => rows.reduce((all, row) => all + row[key], 0);
  console.log(`${total('passed')} passed, ${total('failed')} failed`);
  return total('failed') > 0 || total('passed') === 0 ? 1 : 0;
}

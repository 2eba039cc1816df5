// What is on this system, and how to add what is missing: packages, Rust, node_modules.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const { groups } = JSON.parse(readFileSync(join(ROOT, 'scripts/packages.json'), 'utf8'));
const RUST = [1, 91];

// Programs of the system that a user's PATH may lack, and Rust's own folder.
process.env.PATH = [join(homedir(), '.cargo/bin'), process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);

/** Says what happens now. */
export function say(text) {
  console.log(`\u001b[1m${text}\u001b[0m`);
}

/** Runs a program with its output shown; returns whether it succeeded. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (result.error) console.error(`Cannot run ${program}: ${result.error.message}`);
  return result.status === 0;
}

/** Runs a program and returns what it printed; `null` when it failed or is not there. */
export function ask(program, args) {
  const result = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** Tells whether a program is in PATH. */
export function has(program) {
  return process.env.PATH.split(delimiter).some((folder) => folder && existsSync(join(folder, program)));
}

/** Tells whether a window can be shown here. */
export function hasDisplay() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

function packager() {
  return ['apt-get', 'dnf', 'pacman', 'zypper'].find(has)?.replace('-get', '') ?? null;
}

function systemName() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'this system';
  } catch {
    return 'this system';
  }
}

function installed(name) {
  return ask('dpkg-query', ['-W', '-f', '${Status}', name])?.endsWith('install ok installed') ?? false;
}

function lacks(group) {
  const { programs, modules } = groups[group].probe;
  return programs.some((p) => !has(p)) || modules.some((m) => ask('pkg-config', ['--exists', m]) === null);
}

/** Returns the Debian packages of some groups that are not installed. */
function missingApt(names) {
  const wanted = [...new Set(names.flatMap((group) => groups[group].apt ?? []))];
  return wanted.filter((name) => !installed(name));
}

/** Returns how packages can be installed without asking: as root, by sudo without a password, or not at all. */
function elevation() {
  if (process.getuid?.() === 0) return [];
  return ask('sudo', ['-n', 'true']) === null ? null : ['sudo', '-n'];
}

function aptInstall(prefix, packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => {
    const [program, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return run(program, rest, { env });
  };
  apt('update', '-q');
  // A release may not know every name; what needs it is then skipped, and says so.
  const known = packages.filter((name) => ask('apt-cache', ['show', '--no-all-versions', name]));
  const unknown = packages.filter((name) => !known.includes(name));
  if (unknown.length > 0) console.log(`Not in this release, left out: ${unknown.join(', ')}`);
  return known.length > 0 && apt('install', '-y', '--no-install-recommends', ...known);
}

/** Makes sure that groups of system packages are there. Returns `true`, or `false` after saying exactly what to do. */
export function ensurePackages(...names) {
  if (process.platform !== 'linux') return true;
  if (packager() === 'apt') return ensureApt(names);
  const missing = names.filter(lacks);
  if (missing.length === 0) return true;
  const tool = packager();
  const list = [...new Set(missing.flatMap((group) => groups[group][tool] ?? []))];
  say(`${systemName()} lacks packages that Backstay needs (${missing.map((g) => groups[g].why).join('; ')}).`);
  if (tool && list.length > 0) {
    const verb = { dnf: 'dnf install', pacman: 'pacman -S --needed', zypper: 'zypper install' }[tool];
    console.log(`Install them with:\n\n    sudo ${verb} ${list.join(' ')}\n`);
  } else {
    const programs = missing.flatMap((g) => [...groups[g].probe.programs, ...groups[g].probe.modules]);
    console.log(`Install what gives these programs and libraries: ${programs.join(', ')}\n`);
  }
  return false;
}

function ensureApt(names) {
  const missing = missingApt(names);
  if (missing.length === 0) return true;
  const prefix = elevation();
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (prefix) {
    say(`Installing ${missing.length} packages (${names.map((g) => groups[g].why).join('; ')})`);
    if (aptInstall(prefix, missing)) return true;
    console.log(`apt could not install them. Run this, see what it says, then try again:\n\n    sudo ${command}\n`);
    return false;
  }
  say(`${systemName()} lacks packages that Backstay needs (${names.map((g) => groups[g].why).join('; ')}).`);
  console.log(`Installing them needs your password, so please run this yourself, then try again:\n\n    sudo ${command}\n`);
  return false;
}

function rustVersion() {
  return /^rustc (\d+)\.(\d+)/.exec(ask('rustc', ['--version']) ?? '')?.slice(1).map(Number) ?? null;
}

/** Makes sure that Rust is there and new enough. */
export function ensureRust() {
  const enough = () => {
    const version = has('cargo') ? rustVersion() : null;
    return version !== null && (version[0] > RUST[0] || version[1] >= RUST[1]);
  };
  if (enough()) return true;
  if (has('rustup')) {
    say(`Rust is older than ${RUST.join('.')}; updating it with rustup`);
    run('rustup', ['toolchain', 'install', 'stable', '--profile', 'minimal', '-c', 'clippy', '-c', 'rustfmt']);
    run('rustup', ['default', 'stable']);
  } else {
    say(`Rust ${RUST.join('.')} or newer is not here; installing it for this user with rustup (into ~/.cargo and ~/.rustup)`);
    const script = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt --no-modify-path";
    run('sh', ['-c', script]);
  }
  if (enough()) return true;
  console.log(`Rust could not be installed. Install Rust ${RUST.join('.')} or newer as https://rustup.rs tells, then try again.`);
  return false;
}

/** Makes sure that node_modules is what the lock file says. */
export function ensureNodeModules() {
  const lock = join(ROOT, 'package-lock.json');
  const done = join(ROOT, 'node_modules/.package-lock.json');
  if (existsSync(done) && statSync(done).mtimeMs >= statSync(lock).mtimeMs) return true;
  say('Installing the packages of the window');
  return run('npm', ['ci', '--no-audit', '--no-fund']);
}

/** Cargo's target folder. */
export function targetFolder() {
  return resolve(ROOT, process.env.CARGO_TARGET_DIR || 'target');
}

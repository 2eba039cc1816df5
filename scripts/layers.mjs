// Holds the layers: which crate may know which, who alone may use a heavy dependency, and that no file imports around
// them. The window's own layers (shared <- features <- app) are ESLint's.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const LEAVES = ['hosts', 'kinds', 'layouts', 'destinations', 'store', 'platform'];

/** What each of our crates may depend on, besides `lab` in tests. */
const MAY_USE = {
  core: [],
  contract: [],
  transfer: ['core'],
  ...Object.fromEntries(LEAVES.map((leaf) => [leaf, ['layouts', 'destinations'].includes(leaf) ? ['core', 'transfer'] : ['core']])),
  lab: ['core', 'transfer'],
  engine: ['core', 'contract', 'transfer'],
  assembly: ['core', 'contract', 'engine', ...LEAVES],
  cli: ['core', 'contract', 'engine', 'assembly'],
  app: ['core', 'contract', 'engine', 'assembly'],
};
/** In tests a crate may also use these: real parts that the doubles of `lab` stand for. */
const IN_TESTS = ['lab', 'core', 'contract', 'assembly', ...LEAVES];

/** Dependencies that exactly these crates may name. */
const ONLY = [
  [/^tauri(-|$)/, ['app']],
  [/^russh(-|$)/, ['hosts']],
  [/^rustic_/, ['layouts']],
  [/^aws-|^suppaftp$/, ['destinations']],
  [/^rusqlite$/, ['store', 'kinds']],
  [/^keyring|^notify-rust$/, ['platform']],
  [/^specta$/, ['contract', 'app']],
  [/^clap$/, ['cli']],
];

/** Where each crate's own source lies. */
const SOURCES = (name) => (name === 'app' ? ['src-tauri/lib.rs', 'src-tauri/main.rs', 'src-tauri/bridge', 'src-tauri/commands'] : [`src-tauri/crates/${name}/src`]);

const faults = [];
const short = (name) => (name.startsWith('backstay-') ? name.slice('backstay-'.length) : null);

function checkDependencies(pack) {
  const name = short(pack.name);
  if (!(name in MAY_USE)) {
    faults.push(`${pack.name}: scripts/layers.mjs does not know this crate; say there what it may use`);
    return;
  }
  for (const dependency of pack.dependencies) {
    const other = short(dependency.name);
    const test = dependency.kind === 'dev';
    if (other && !MAY_USE[name].includes(other) && !(test && IN_TESTS.includes(other))) {
      faults.push(`${pack.name} depends on ${dependency.name}: it may use only ${MAY_USE[name].join(', ') || 'none of ours'}`);
    }
    for (const [pattern, owners] of ONLY) {
      if (!test && dependency.kind !== 'build' && pattern.test(dependency.name) && !owners.includes(name)) {
        faults.push(`${pack.name} depends on ${dependency.name}, which only ${owners.join(' and ')} may use`);
      }
    }
  }
}

function* rustFiles(path) {
  if (statSync(path).isFile()) {
    if (path.endsWith('.rs') && !/(^|[/_])tests?\.rs$/.test(path)) yield path;
    return;
  }
  for (const name of readdirSync(path)) yield* rustFiles(join(path, name));
}

/** What the source of a crate must not name, its tests aside: core and contract do no I/O; nobody reaches round `assembly`. */
const FORBIDDEN = {
  core: [/\bstd::fs\b/, /\btokio::fs\b/, /\bstd::net\b/, /\btokio::net\b/, /\bstd::process\b/, /\btokio::process\b/],
  contract: [/\bstd::fs\b/, /\bstd::process\b/],
  engine: [/\bbackstay_(hosts|kinds|layouts|destinations|store|platform|assembly)\b/],
  cli: [/\bbackstay_(hosts|kinds|layouts|destinations|store|platform)\b/],
  app: [/\bbackstay_(hosts|kinds|layouts|destinations|store|platform)\b/],
};

function checkImports(name) {
  for (const source of SOURCES(name)) {
    for (const file of rustFiles(join(ROOT, source))) {
      const lines = readFileSync(file, 'utf8').split('\n');
      const end = lines.findIndex((line) => /^\s*mod tests \{/.test(line));
      lines.slice(0, end < 0 ? undefined : end).forEach((line, index) => {
        if (/^\s*\/\//.test(line)) return;
        for (const pattern of FORBIDDEN[name]) {
          if (pattern.test(line)) faults.push(`${relative(ROOT, file)}:${index + 1}: ${name} must not use ${pattern.source}: ${line.trim()}`);
        }
      });
    }
  }
}

const metadata = JSON.parse(
  execFileSync('cargo', ['metadata', '--format-version', '1', '--no-deps'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 << 20 }),
);
const ours = metadata.packages.filter((pack) => short(pack.name));
ours.forEach(checkDependencies);
Object.keys(FORBIDDEN).forEach(checkImports);
const missing = Object.keys(MAY_USE).filter((name) => !ours.some((pack) => short(pack.name) === name));
missing.forEach((name) => faults.push(`backstay-${name} is named in scripts/layers.mjs but is no crate`));

for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? `The layers hold: ${ours.length} crates` : `${faults.length} faults in the layers`);
process.exit(faults.length === 0 ? 0 : 1);

// Makes the tree the benchmark backs up: the same bytes on every computer, from a seeded generator.
//
// 34,000 text-like files (0.5 to 60 KiB, compress about 3:1) and 420 larger ones (0.5 to 4 MiB, one in four
// incompressible, as programs and pictures are). About 1.3 GB in all.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const TREE_VERSION = 'tree-4';

/** A small fast generator (xorshift32): speed matters more than quality here. */
function random(seed) {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x;
  };
}

function vocabulary(next) {
  const letters = 'etaoinshrdlucmfwypvbgkqjxz';
  return Array.from({ length: 6000 }, () => {
    const length = 2 + (next() % 9);
    let word = '';
    for (let i = 0; i < length; i++) word += letters[Math.min(next() % 26, next() % 26)];
    return word;
  });
}

function textFile(next, words, size) {
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    const word = words[Math.min(next() % words.length, next() % words.length)];
    const end = next() % 9 === 0 ? '\n    ' : next() % 5 === 0 ? '::' : ' ';
    at += out.write(word + end, at, 'latin1');
  }
  return out;
}

function binaryFile(next, pool, size) {
  const out = Buffer.allocUnsafe(size);
  // One in four is a picture or an archive (incompressible); the others repeat themselves as programs do.
  const noisy = next() % 4 === 0;
  for (let at = 0; at + 4 <= size; ) {
    out.writeUInt32LE(next(), at);
    at += 4;
    if (noisy) continue;
    const length = Math.min(8 + (next() % 40), size - at);
    const from = Math.min(next(), next()) % (pool.length - 64);
    pool.copy(out, at, from & ~7, (from & ~7) + length);
    at += length;
  }
  out.fill(7, size - 4);
  return out;
}

/** Makes the tree below `root` unless it is there already; returns {files, bytes}. */
export function makeTree(root) {
  const done = join(root, '..', `${TREE_VERSION}.json`);
  if (existsSync(done) && existsSync(root)) return JSON.parse(readFileSync(done, 'utf8'));
  rmSync(root, { recursive: true, force: true });
  const next = random(20261120);
  const words = vocabulary(next);
  const pool = Buffer.from(Uint8Array.from({ length: 65_536 }, () => next() & 255));
  let files = 0;
  let bytes = 0;
  const put = (path, content) => {
    writeFileSync(path, content);
    files += 1;
    bytes += content.length;
  };
  for (let project = 0; project < 170; project++) {
    for (let part = 0; part < 8; part++) {
      const dir = join(root, `project-${project}`, 'src', `part-${part}`);
      mkdirSync(dir, { recursive: true });
      for (let n = 0; n < 25; n++) {
        const size = n % 6 === 0 ? 20_000 + (next() % 40_000) : 500 + (next() % 14_000);
        put(join(dir, `file-${n}.rs`), textFile(next, words, size));
      }
    }
  }
  const lib = join(root, 'lib');
  mkdirSync(lib, { recursive: true });
  for (let n = 0; n < 420; n++) put(join(lib, `lib${n}.so`), binaryFile(next, pool, 512_000 + (next() % 3_500_000)));
  const report = { files, bytes };
  writeFileSync(done, JSON.stringify(report));
  return report;
}

/** Changes one file in a hundred (content and size); returns the changed bytes. */
export function changeOnePercent(root, round) {
  const next = random(77 + round);
  const words = vocabulary(next);
  let changed = 0;
  for (let project = 0; project < 170; project++) {
    for (const part of [0, 4]) {
      const content = textFile(next, words, 8_000 + (next() % 9_000));
      writeFileSync(join(root, `project-${project}`, 'src', `part-${part}`, 'file-7.rs'), content);
      changed += content.length;
    }
  }
  return changed;
}

/** Hashes a file; for the benchmark's own proof that a restore brought the bytes back. */
export function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

// Folders to back up, and comparing them with what came back.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile, readdir, readlink, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes a folder like a small site: texts, a picture, an odd name, a link, an empty file, an old file. */
export async function makeSite(folder) {
  await mkdir(join(folder, 'pages/deep/er'), { recursive: true });
  await mkdir(join(folder, 'media'), { recursive: true });
  for (let n = 0; n < 40; n++) await writeFile(join(folder, `pages/page-${n}.html`), `<h1>Page ${n}</h1>\n${'words and more words\n'.repeat(n * 3)}`);
  await writeFile(join(folder, 'media/picture.bin'), randomBytes(300_000));
  await writeFile(join(folder, 'pages/deep/er/naïve name; $(rm) "x".txt'), 'an odd name');
  await writeFile(join(folder, 'empty'), '');
  await writeFile(join(folder, 'old.conf'), 'from long ago\n');
  await utimes(join(folder, 'old.conf'), 1_000_000_000, 1_000_000_000);
  await symlink('pages/page-1.html', join(folder, 'index.html'));
}

/** Makes one big file that no deduplication shortens. */
export async function makeHeavy(folder, mib) {
  await mkdir(folder, { recursive: true });
  for (let n = 0; n < mib / 4; n++) await writeFile(join(folder, `block-${n}`), randomBytes(4 << 20));
}

/** Returns what a folder holds: each path with its kind, content, mode and time. */
export async function inventory(folder, below = '') {
  const found = {};
  for (const name of await readdir(join(folder, below))) {
    const path = join(below, name);
    const stat = await lstat(join(folder, path));
    if (stat.isDirectory()) {
      found[`${path}/`] = { mode: stat.mode & 0o7777 };
      Object.assign(found, await inventory(folder, path));
    } else if (stat.isSymbolicLink()) {
      found[path] = { link: await readlink(join(folder, path)) };
    } else {
      const hash = createHash('sha256').update(await readFile(join(folder, path))).digest('hex');
      found[path] = { hash, size: stat.size, mode: stat.mode & 0o7777, mtimeMs: Math.floor(stat.mtimeMs) };
    }
  }
  return found;
}

/** Fails unless two folders hold the same. */
export async function assertSame(expected, folder) {
  assert.deepEqual(await inventory(folder), expected);
}

/** Unpacks a .tar.gz with the system's tar. */
export function untar(file, folder) {
  execFileSync('tar', ['-xzf', file, '-C', folder]);
}

import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const CORE = 'node_modules/@mantine/core';

/** What the sources of the window take from Mantine. */
function taken(): Set<string> {
  const names = new Set<string>();
  for (const file of readdirSync('ui/src', { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(file)) continue;
    for (const [, list = ''] of readFileSync(join('ui/src', file), 'utf8').matchAll(/import \{([^}]*)\} from '@mantine\/core'/g)) {
      for (const name of list.split(',')) names.add(name.trim().split(' ')[0] ?? '');
    }
  }
  return names;
}

/** The classes of every component among them, and of those that they are made of. */
function classes(names: Set<string>): Map<string, string> {
  const index = readFileSync(join(CORE, 'esm/index.mjs'), 'utf8');
  const left = [...index.matchAll(/import \{([^}]*)\} from "([^"]+)"/g)]
    .filter(([, list = '']) => list.split(',').some((name) => names.has(name.trim().split(' ').at(-1) ?? '')))
    .map(([, , path = '']) => resolve(CORE, 'esm', path));
  const seen = new Set<string>();
  const found = new Map<string, string>();
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    if (file.endsWith('.module.mjs')) for (const [name] of text.matchAll(/\bm_[0-9a-f]+/g)) found.set(name, file);
    for (const [, path = ''] of text.matchAll(/from "(\.[^"]+)"/g)) left.push(resolve(dirname(file), path));
  }
  return found;
}

test('every component that is used has its styles', () => {
  const sheets = [...readFileSync('ui/src/shared/theme/mantine.ts', 'utf8').matchAll(/'@mantine\/core\/(styles\/\w[\w-]*\.css)'/g)];
  const there = sheets.map(([, path = '']) => readFileSync(join(CORE, path), 'utf8')).join('\n');
  const whole = readFileSync(join(CORE, 'styles.css'), 'utf8');
  const needed = classes(taken());
  expect(needed.size).toBeGreaterThan(50);
  const missing = [...needed].filter(([name]) => whole.includes(name) && !there.includes(name)).map(([, file]) => file.split('/').at(-1));
  expect([...new Set(missing)]).toEqual([]);
});

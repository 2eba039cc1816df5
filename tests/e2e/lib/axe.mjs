// Accessibility of the real window, by axe-core.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails when axe finds a violation in what the window shows now. */
export async function checkAxe(session, screen) {
  if (!(await session.run(() => 'axe' in window))) await session.inject(source);
  const violations = await session.runAsync(async () => {
    const { violations } = await window.axe.run(document);
    return violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.slice(0, 3).map((n) => `    ${n.html.slice(0, 200)}`).join('\n')}`);
  });
  assert.deepEqual(violations, [], `axe found violations on ${screen}:\n${violations.join('\n')}`);
}

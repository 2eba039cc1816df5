import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { actionText, outcomeText } from './audit-words';

/** Every action the engine writes: those named where it is written, and those chosen on the line before. */
function written(): string[] {
  const folder = resolve('src-tauri/crates/engine/src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs'));
  const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  const named = lines.filter((line) => /\baudit(ed)?\(|let action =/.test(line)).flatMap((line) => [...line.matchAll(/"([a-z_]+\.[a-z_]+)"/g)].map((found) => found[1] ?? ''));
  return [...new Set(named)].sort();
}

it('has words for all that the engine writes', () => {
  const actions = written();
  expect(actions.length).toBeGreaterThan(20);
  expect(actions.filter((action) => actionText(action) === action.replaceAll(/[._]/g, ' '))).toEqual([]);
});

it('tells the start and the end of each kind of run', () => {
  expect(actionText('verify.start')).toBe('Check started');
  expect(actionText('prune.end')).toBe('Clean-up ended');
});

it('shows what it does not know as it is written', () => {
  expect(actionText('weather.change_all')).toBe('weather change all');
  expect(outcomeText('done_with_problems')).toBe('done with problems');
  expect(outcomeText('ok')).toBe('done');
});

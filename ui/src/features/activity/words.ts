import type { ProblemRow, RunRow } from '../../ipc';
import { formatBytes, formatCount, plural } from '../../shared/format';
import { lookOf } from '../../shared/ui';

/** What came of a run, in a few words, for its badge: "2 problems", "Done". */
export function outcome(run: RunRow): string {
  if (run.state === 'done_with_problems') return plural(run.problems, 'problem');
  return lookOf(run.state).word;
}

/** How long a run took or has taken; `null` when it never began. */
export function took(run: RunRow, now: number): number | null {
  if (run.started === null) return null;
  return Math.max(0, (run.ended ?? now) - run.started);
}

/** The numbers of a run, as pairs of name and value; what is nought and says nothing is left out. */
export function runNumbers(run: RunRow, detail: { files_read: number; files_new: number; files_changed: number; files_deleted: number }): { name: string; value: string }[] {
  const count = (name: string, n: number) => (n > 0 ? [{ name, value: n.toLocaleString('en-GB') }] : []);
  const size = (name: string, n: number) => (n > 0 ? [{ name, value: formatBytes(n) }] : []);
  const backup = run.kind === 'backup';
  return [
    ...count('Files', run.files),
    ...size('Size', run.bytes),
    ...(backup ? [...count('Files read', detail.files_read), ...count('New files', detail.files_new), ...count('Changed files', detail.files_changed)] : count('Files written', detail.files_new + detail.files_changed)),
    ...count('Files deleted', detail.files_deleted),
    ...size('Data read', run.bytes_read),
    ...(backup ? [{ name: 'Data added', value: formatBytes(run.bytes_added) }] : []),
  ];
}

/** Tells whether leaving a problem's subject out of the plan makes sense: a path of the files kind, not a damaged copy. */
export function canExclude(problem: ProblemRow): boolean {
  return ['unreadable', 'vanished', 'changed', 'skipped'].includes(problem.kind) && problem.subject.startsWith('/');
}

/** The name of the tab with a run's problems; where nothing but notes is in it, of those. */
export function problemsTab(problems: number, listed: number): string {
  if (problems > 0) return `Problems ${formatCount(problems)}`;
  return listed > 0 ? `Notes ${formatCount(listed)}` : 'Problems';
}

/** What is in a run's list: problems, and what was skipped without spoiling the outcome. Only an ended run has counted both. */
export function listedText(run: RunRow, listed: number): string {
  const notes = listed - run.problems;
  if (run.ended === null || notes <= 0) return `${formatCount(listed)} in all`;
  return [run.problems > 0 ? plural(run.problems, 'problem') : '', `${plural(notes, 'note')} on what was skipped`].filter(Boolean).join(', ');
}

const PROBLEM_WORDS: Record<string, string> = {
  unreadable: 'Not readable', vanished: 'Vanished', changed: 'Changed while read', skipped: 'Skipped', unwritable: 'Not writable',
  database: 'Database', damaged: 'Damaged', other: 'Other',
};

/** The kind of a problem in words. */
export function problemWord(kind: string): string {
  return PROBLEM_WORDS[kind] ?? kind;
}

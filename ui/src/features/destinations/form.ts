import type { DestinationDraft, DestinationTest } from '../../ipc';
import { localFolderProblem, nameOf } from '../../shared/paths/paths';

// The rules of the destination wizard, without a screen.

export const STEPS = ['Folder', 'Test', 'Name and key', 'Recovery kit'] as const;

/** How the vault's key comes about. */
export type KeyChoice = 'made' | 'own';

/** What the wizard holds. */
export interface DestinationForm {
  path: string;
  name: string;
  key: KeyChoice;
  password: string;
  repeated: string;
}

export const EMPTY: DestinationForm = { path: '', name: '', key: 'made', password: '', repeated: '' };

/** A password shorter than this is refused: whoever has the folder can try as often as they like. */
export const SHORTEST_PASSWORD = 12;

/** Problems by field; an absent field is fine. */
export type FormProblems = Partial<Record<keyof DestinationForm, string>>;

/** Says what is wrong with the folder. */
export function folderProblems(form: DestinationForm): FormProblems {
  const path = localFolderProblem(form.path);
  return path ? { path } : {};
}

/** Says whether the wizard may go on after the test, and if not, why. */
export function testBlocks(test: DestinationTest | undefined): string | null {
  if (!test) return 'The test is not over yet';
  if (test.found === 'foreign') return 'Other files are in this folder. Choose an empty one, so that nothing gets mixed up';
  if (!test.ok) return 'The folder cannot be used as it is';
  return null;
}

/** Says what is wrong with the name and the key. */
export function keyProblems(form: DestinationForm, found: string, taken: readonly string[]): FormProblems {
  const problems: FormProblems = {};
  const name = form.name.trim();
  if (name === '') problems.name = 'Give it a name, for example "nas"';
  else if (taken.some((one) => one.toLowerCase() === name.toLowerCase())) {
    problems.name = `There is a destination named ${name} already`;
  }
  if (found === 'vault') {
    if (form.password === '') problems.password = 'Type the password of the vault that is there';
  } else if (form.key === 'own') {
    if ([...form.password].length < SHORTEST_PASSWORD) {
      problems.password = `Use at least ${SHORTEST_PASSWORD} characters: whoever has the folder can try as often as they like`;
    } else if (form.password !== form.repeated) {
      problems.repeated = 'The two are not the same';
    }
  }
  return problems;
}

/** Returns what is sent. An existing vault always takes the typed password; a new one only if the user chose one. */
export function toDraft(form: DestinationForm, found: string): DestinationDraft {
  const own = found === 'vault' || (found === 'empty' && form.key === 'own');
  return { name: form.name.trim(), kind: 'local', path: form.path.trim(), vault_password: own ? form.password : null };
}

/** Suggests a name from the folder: the last part that says something. */
export function suggestName(path: string, taken: readonly string[]): string {
  const parts = path.split(/[\\/]/).filter((part) => part !== '' && !/^[A-Za-z]:$/.test(part));
  const telling = [...parts].reverse().find((part) => !GENERIC.has(part.toLowerCase())) ?? nameOf(path);
  const base = telling === '/' || telling === '' ? 'backups' : telling;
  let name = base;
  for (let n = 2; taken.some((one) => one.toLowerCase() === name.toLowerCase()); n += 1) name = `${base} ${n}`;
  return name;
}

const GENERIC = new Set(['backup', 'backups', 'backstay', 'mnt', 'media', 'data', 'volumes', 'home']);

/** Suggests a folder inside one that holds other files. */
export function folderInside(path: string): string {
  const separator = path.includes('\\') && !path.includes('/') ? '\\' : '/';
  return `${path.trim().replace(/[\\/]+$/, '')}${separator}backstay`;
}

/** Tells how full the place is, 0 to 100, where known. */
export function percentFull(free: number | null, total: number | null): number | null {
  if (free === null || total === null || total <= 0) return null;
  return Math.min(100, Math.max(0, Math.round(((total - free) / total) * 100)));
}

// Ways to the steps of a restore: through the window, as a user would go.
import { openFirstBackup } from './backups.steps.mjs';
import { press } from './controls.mjs';

/** Goes from the list of backups to the first step of a restore. */
export async function goToRestore(page) {
  await openFirstBackup(page);
  await press(page, 'Restore…');
  await page.getByRole('heading', { level: 1, name: /^Restore / }).waitFor();
}

/** Goes to the second step of a restore. */
export async function restoreWhere(page) {
  await goToRestore(page);
  await press(page, 'Continue');
  await page.getByRole('radiogroup', { name: 'To which place' }).waitFor();
}

/** Gives the databases of a restore a log-in of their own. */
export async function databaseLogin(page) {
  await restoreWhere(page);
  await page.getByRole('switch', { name: /^Log in another way/ }).check({ force: true });
  await page.getByRole('textbox', { name: 'Socket on the server' }).waitFor();
}

/** Goes on to the preview of a restore in the given mode. */
export async function goToPreview(page, mode) {
  await press(page, 'Continue');
  await page.getByRole('radio', { name: mode }).check();
  await press(page, 'Show what would happen');
  await page.getByRole('tab', { name: /^Overwrite/ }).waitFor();
}

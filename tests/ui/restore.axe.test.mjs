// Restoring, looked over by axe in light and dark: every step, every dialog.
import { dialog, press } from './controls.mjs';
import { databaseLogin, goToPreview, goToRestore, restoreWhere } from './restore.steps.mjs';
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver({
  'restore, what': ['/backups', '', async (page) => { await goToRestore(page); await page.getByRole('radio', { name: /^Parts of it/ }).check(); }],
  'restore, where': ['/backups', '', async (page) => { await goToRestore(page); await press(page, 'Continue'); await page.getByRole('radio', { name: /^Into another folder/ }).check(); await page.getByRole('tree').waitFor(); }],
  'restore, preview': ['/backups', '', async (page) => { await goToRestore(page); await goToPreview(page, /^Replace/); }],
  'restore, question': ['/backups', '', async (page) => { await goToRestore(page); await goToPreview(page, /^Replace/); await press(page, 'Restore to web-1'); await dialog(page); }],
  'restore, where it came from': ['/backups', '', restoreWhere],
  'restore, to another server': ['/backups', '', async (page) => { await restoreWhere(page); await page.getByRole('combobox', { name: 'To which server' }).click(); await page.getByRole('option', { name: /^shop/ }).click(); await page.getByRole('radio', { name: /^Replace/ }).check(); await page.getByText('This is another server').waitFor(); }],
  'restore, log-in to a database': ['/backups', '', databaseLogin],
});

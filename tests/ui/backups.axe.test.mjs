// Backups, looked over by axe in light and dark: the list, one backup, its copies, every dialog.
import { openCopies, openFirstBackup } from './backups.steps.mjs';
import { dialog, press } from './controls.mjs';
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver({
  'backups': ['/backups'],
  'backups, none yet': ['/backups', 'empty'],
  'backups, unreadable': ['/backups', 'broken'],
  'backups, no match': ['/backups?text=nothing-has-this-name'],
  'one backup': ['/backups', '', openFirstBackup],
  'one backup, changes': ['/backups', '', async (page) => { await openFirstBackup(page); await page.getByRole('tab', { name: 'Since before' }).click(); await page.getByRole('grid', { name: /^Changes/ }).waitFor(); }],
  'one backup, problems': ['/backups?state=problems', '', async (page) => { await openFirstBackup(page); await page.getByRole('tab', { name: /problem/ }).click(); await page.getByRole('list', { name: 'Log' }).waitFor(); }],
  'download': ['/backups', '', async (page) => { await openFirstBackup(page); await press(page, 'Download…'); await dialog(page); await page.getByRole('button', { name: 'Download', exact: true, disabled: false }).waitFor(); }],
  'copies': ['/backups?plan=p1', '', openCopies],
  'copies of an archive': ['/backups?plan=p7', '', openCopies],
  'temporary link': ['/backups?plan=p7', '', async (page) => { await openCopies(page); await press(page, 'Temporary link… to the copy at archive store'); await page.getByRole('dialog').getByRole('button', { name: 'Make the link' }).click(); await page.getByLabel('Link', { exact: true }).waitFor(); }],
  'deleting': ['/backups?plan=p1', '', async (page) => { await page.locator('.dt-body-row').first().click(); await press(page, 'Delete…'); await page.getByText('newest good backup').waitFor(); }],
  'several picked': ['/backups', '', async (page) => { await page.locator('.dt-body-row').getByRole('checkbox').first().check(); await page.getByText('1 picked').waitFor(); }],
});

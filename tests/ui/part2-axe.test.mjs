// Destinations, plans, backups and restore, looked over by axe in light and dark: every page, every step, every dialog.
import { goToPreview, goToRestore, makeVault, openFirstBackup, press, testFolder } from './part2-steps.mjs';
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

const dialog = (page) => page.getByRole('dialog').waitFor();
const SCREENS = {
  'destinations': ['/destinations'],
  'destinations, none yet': ['/destinations', 'empty'],
  'destinations, unreadable': ['/destinations', 'broken'],
  'one destination': ['/destinations/d2'],
  'recovery kit again': ['/destinations/d2', '', async (page) => { await press(page, 'Recovery kit…'); await page.getByRole('button', { name: 'Print' }).waitFor(); }],
  'removing a destination': ['/destinations/d1', '', async (page) => { await press(page, 'Remove…'); await dialog(page); }],
  'new destination, folder': ['/destinations/new'],
  'new destination, good test': ['/destinations/new', '', (page) => testFolder(page, '/mnt/disk')],
  'new destination, other files': ['/destinations/new', '', (page) => testFolder(page, '/mnt/foreign')],
  'new destination, own key': ['/destinations/new', '', async (page) => { await testFolder(page, '/mnt/disk'); await press(page, 'Continue'); await page.getByRole('radio', { name: /^I choose the key/ }).check(); }],
  'new destination, kit': ['/destinations/new', '', (page) => makeVault(page, '/mnt/disk')],
  'plans': ['/plans'],
  'plans, none yet': ['/plans', 'empty'],
  'one plan': ['/plans/p1'],
  'removing a plan': ['/plans/p1', '', async (page) => { await press(page, 'Remove…'); await dialog(page); }],
  'new plan, what': ['/plans/new?server=s1', '', (page) => page.getByRole('tree').first().waitFor()],
  'new plan, where': ['/plans/new?server=s1', '', async (page) => { await page.getByRole('tree').first().waitFor(); await press(page, 'Continue'); }],
  'editing a plan': ['/plans/p1/edit', '', (page) => page.getByRole('tree').first().waitFor()],
  'backups': ['/backups'],
  'backups, none yet': ['/backups', 'empty'],
  'backups, unreadable': ['/backups', 'broken'],
  'backups, no match': ['/backups?text=nothing-has-this-name'],
  'one backup': ['/backups', '', openFirstBackup],
  'one backup, changes': ['/backups', '', async (page) => { await openFirstBackup(page); await page.getByRole('tab', { name: 'Since before' }).click(); await page.getByRole('grid', { name: /^Changes/ }).waitFor(); }],
  'one backup, problems': ['/backups?state=problems', '', async (page) => { await openFirstBackup(page); await page.getByRole('tab', { name: /problem/ }).click(); await page.getByRole('list', { name: 'Log' }).waitFor(); }],
  'download': ['/backups', '', async (page) => { await openFirstBackup(page); await press(page, 'Download…'); await dialog(page); await page.getByRole('button', { name: 'Download', exact: true, disabled: false }).waitFor(); }],
  'restore, what': ['/backups', '', async (page) => { await goToRestore(page); await page.getByRole('radio', { name: /^Parts of it/ }).check(); }],
  'restore, where': ['/backups', '', async (page) => { await goToRestore(page); await press(page, 'Continue'); await page.getByRole('radio', { name: /^Into another folder/ }).check(); await page.getByRole('tree').waitFor(); }],
  'restore, preview': ['/backups', '', async (page) => { await goToRestore(page); await goToPreview(page, /^Replace/); }],
  'restore, question': ['/backups', '', async (page) => { await goToRestore(page); await goToPreview(page, /^Replace/); await press(page, 'Restore to web-1'); await dialog(page); }],
};

lookOver(SCREENS);

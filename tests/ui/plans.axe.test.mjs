// Plans, looked over by axe in light and dark: every page, every step, the kit.
import { dialog, press } from './controls.mjs';
import { planWhere } from './plans.steps.mjs';
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

const archives = async (page) => { await planWhere(page); await page.getByRole('radio', { name: /^As archives/ }).check(); };

lookOver({
  'plans': ['/plans'],
  'plans, none yet': ['/plans', 'empty'],
  'one plan': ['/plans/p1'],
  'removing a plan': ['/plans/p1', '', async (page) => { await press(page, 'Remove…'); await dialog(page); }],
  'new plan, what': ['/plans/new?server=s1', '', (page) => page.getByRole('tree').first().waitFor()],
  'new plan, where': ['/plans/new?server=s1', '', async (page) => { await page.getByRole('tree').first().waitFor(); await press(page, 'Continue'); }],
  'editing a plan': ['/plans/p1/edit', '', (page) => page.getByRole('tree').first().waitFor()],
  'plan with several destinations': ['/plans/new?server=s1', '', async (page) => { await planWhere(page); await page.getByRole('checkbox', { name: 'archive store' }).check(); }],
  'plan with archives': ['/plans/new?server=s1', '', async (page) => { await archives(page); await page.getByRole('radio', { name: /^With a passphrase/ }).check(); await page.getByText(/sealed$/).first().waitFor(); }],
  'plan with plain archives': ['/plans/new?server=s1', '', async (page) => { await archives(page); await page.getByRole('radio', { name: /^Not at all/ }).check(); }],
  'kit of a plan': ['/plans/new?server=s1', '', async (page) => { await archives(page); await press(page, 'Continue'); await press(page, 'Make the plan'); await page.getByText('Is it safe?').waitFor(); }],
  'a plan of archives': ['/plans/p7'],
});

// Servers, looked over by axe in light and dark: every page, every step, the log-ins that only some of them need.
import { dialog, press } from './controls.mjs';
import { addJump, loginOf, wrongKey } from './servers.steps.mjs';
import { atPlaces, lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver({
  ...atPlaces([['/servers', ''], ['/servers/s1', ''], ['/servers', 'broken'], ['/servers/new', ''], ['/servers/s6/edit', '']]),
  'new server, log-in': ['/servers/new', '', (page) => loginOf(page, 'web-9.example.org')],
  'new server, a password besides the key': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await page.getByText('Key file', { exact: true }).click(); await page.getByRole('switch', { name: /besides the key/ }).check({ force: true }); await press(page, 'Continue'); await page.getByText('Type the password').waitFor(); }],
  'new server, sudo with password': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await page.getByText('sudo with password').click(); await press(page, 'Continue'); await page.getByText("Type sudo's password").waitFor(); }],
  'new server, jump host with a password': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await addJump(page, 'Its own password'); await press(page, 'Continue'); await page.getByText('Type its password').waitFor(); }],
  'new server, jump host with a key': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await addJump(page, 'Its own key file'); await press(page, 'Continue'); await page.getByText('Choose the private key file').waitFor(); }],
  'new server, changed key asked about': ['/servers/new', '', async (page) => { await loginOf(page, 'changed.example.org'); await press(page, 'Continue'); await press(page, 'The new key is right…'); await dialog(page); }],
  'changing a server, log-in': ['/servers/s6/edit', '', async (page) => { await press(page, 'Continue'); await page.getByRole('group', { name: 'Jump host 1' }).waitFor(); }],
  'changing a server, key and sudo': ['/servers/s5/edit', '', async (page) => { await press(page, 'Continue'); await page.getByText('Empty keeps the stored one').waitFor(); }],
  'changing a server, tested': ['/servers/s6/edit', '', async (page) => { await press(page, 'Continue'); await press(page, 'Continue'); await page.getByText('Check its host key').waitFor(); }],
  'changing a server, what was found': ['/servers/s6/edit', '', async (page) => { await press(page, 'Continue'); await press(page, 'Continue'); await page.getByText('Check its host key').waitFor(); await press(page, 'Continue'); await page.getByText('MariaDB 10.11: shop, blog').waitFor(); }],
  'changing a server, changed key': ['/servers/s6/edit', 'rekeyed', async (page) => { await press(page, 'Continue'); await press(page, 'Continue'); await wrongKey(page); }],
});

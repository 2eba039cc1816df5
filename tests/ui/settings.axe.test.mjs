// Settings, looked over by axe in light and dark: every part of them.
import { press } from './controls.mjs';
import { atPlaces, lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver({
  ...atPlaces([
    ['/settings', ''], ['/settings?part=appearance', ''], ['/settings?part=notifications', ''], ['/settings?part=kits', ''],
    ['/settings?part=secrets', 'locked'], ['/settings?part=secrets', 'keyring_closed'], ['/settings?part=secrets', 'not_set_up'],
    ['/settings?part=audit', ''], ['/settings?part=about', ''],
  ]),
  'bandwidth': ['/settings?part=bandwidth', '', async (page) => { await page.getByRole('radio', { name: /^b2 offsite/ }).check(); await press(page, 'Add a rule'); }],
});

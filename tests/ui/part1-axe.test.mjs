// Every page, light and dark, is looked over by axe: contrast, names, roles, order.
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

const PLACES = [
  ['/overview', ''], ['/overview', 'empty'], ['/overview', 'locked'], ['/overview', 'broken'], ['/servers', ''], ['/servers/s1', ''], ['/servers', 'broken'],
  ['/servers/new', ''], ['/servers/s6/edit', ''], ['/activity', ''], ['/activity', 'empty'], ['/activity/r2', ''], ['/activity/r91', ''], ['/activity/live1', ''],
  ['/settings', ''], ['/settings?part=appearance', ''], ['/settings?part=notifications', ''], ['/settings?part=kits', ''],
  ['/settings?part=secrets', 'locked'], ['/settings?part=secrets', 'keyring_closed'], ['/settings?part=secrets', 'not_set_up'], ['/settings?part=audit', ''], ['/settings?part=about', ''],
  ['/nowhere', ''],
];

lookOver(Object.fromEntries(PLACES.map(([place, scene]) => [`${place} ${scene}`, [place, scene]])));

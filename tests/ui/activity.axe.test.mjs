// Activity, looked over by axe in light and dark: the runs, and one run of each kind.
import { atPlaces, lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver({
  ...atPlaces([['/activity', ''], ['/activity', 'empty'], ['/activity/r2', ''], ['/activity/r91', ''], ['/activity/live1', '']]),
  'run that stumbles': ['/activity/live1', '', (page) => page.getByText('the connection was reset').waitFor({ timeout: 20_000 })],
  'broken download': ['/activity/r96'],
});

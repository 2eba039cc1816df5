// The first screen, looked over by axe in light and dark: as it is, empty, locked and unreadable.
import { atPlaces, lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver(atPlaces([['/overview', ''], ['/overview', 'empty'], ['/overview', 'locked'], ['/overview', 'broken']]));

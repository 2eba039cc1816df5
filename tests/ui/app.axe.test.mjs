// What belongs to no feature, looked over by axe in light and dark: a page that is not there.
import { atPlaces, lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver(atPlaces([['/nowhere', '']]));

export { ActivityPage } from './activity-page';
export { RunPage } from './run-page';

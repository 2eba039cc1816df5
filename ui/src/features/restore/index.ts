export { RestorePage } from './restore-page';

export { KitConfirm, KitSheet } from './kit';

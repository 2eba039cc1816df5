export { KitConfirm, KitSheet, type KitOf } from './kit';

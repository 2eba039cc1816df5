export { KitConfirm, KitSheet, kitPart, type KitOf } from './kit';

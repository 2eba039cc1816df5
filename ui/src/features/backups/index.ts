export { BackupPage } from './backup-page';
export { BackupsPage } from './list-page';
export { prefetchBackups } from './queries';

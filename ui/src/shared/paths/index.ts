export * from './paths';
export * from './selection';
export { TreeView, type Tick } from './tree-view';
export { FolderChooser, RemoteBrowser } from './server-tree';
export { BackupTree } from './backup-tree';

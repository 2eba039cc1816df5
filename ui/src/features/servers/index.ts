export { ServersPage } from './servers-page';
export { AddServerPage, EditServerPage } from './wizard/wizard-page';

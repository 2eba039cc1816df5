export { AddDestinationPage } from './add-page';
export { EditDestinationPage } from './edit-page';
export { DestinationsPage, DestinationsPage as DestinationPage } from './list-page';
export { OpenExistingPage } from './open-page';

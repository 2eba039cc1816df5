export { AddDestinationPage } from './add-page';
export { DestinationsPage, DestinationsPage as DestinationPage } from './list-page';

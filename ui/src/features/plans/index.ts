export { PlansPage, PlansPage as PlanPage } from './list-page';
export { PlanWizardPage } from './wizard-page';

export { WizardPage, type WizardNext } from './wizard';
export { Summary } from './summary';
export { Choices, type Choice } from './choices';

export { WizardPage, type WizardNext } from './wizard';
export { forgetWayBack, keepWayBack, wayBack } from './way-back';
export { Summary } from './summary';
export { Choices, type Choice } from './choices';

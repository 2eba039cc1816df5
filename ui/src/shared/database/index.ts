export { DatabaseLogIn, type LogInValue } from './log-in';

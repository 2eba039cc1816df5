export * from './draft';
export { Fingerprint, HostKeyCheck } from './fingerprint';
export { JumpCard, KEPT, LoginCard, type PartProps } from './login';

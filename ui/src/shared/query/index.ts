export { useAction } from './action';
export { useCancelRun } from './cancel';
export { applyChange, applyEvent, runEnded, withProgress, withRun, type Change } from './effects';
export { keys } from './keys';
export { useActiveRuns, useRunsElsewhere, useSync } from './runs';
export { useDestinations, usePlans, useRun, useServer, useServers } from './lists';

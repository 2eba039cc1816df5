import { api, type PlanRow } from '../../ipc';
import { useAction } from '../../shared/query';
import { showBegun } from '../../shared/ui';

/** Starts a backup of a plan; its progress is seen in the row, at the foot of the sidebar and in Activity. */
export function useBackUpNow() {
  return useAction((plan: PlanRow) => api.startBackup(plan.id), {
    changes: ['runs', 'plans'],
    onDone: (run, plan) => showBegun(`Backing up ${plan.name}.`, run),
  });
}

import type { DestinationRow, PlanDraft } from '../../ipc';
import { toggled } from './layout';

/** What a plan's wizard was left with, for a destination that had to be added first. */
export interface KeptPlan {
  draft: PlanDraft;
  /** Whether its name was typed. */
  named: boolean;
  /** The key of its archives, typed again. */
  repeated: string;
}

let kept: KeptPlan | null = null;

/** Keeps a plan while a destination is added. */
export function keepPlan(plan: KeptPlan): void {
  kept = plan;
}

/** Returns what was kept of the plan with this id (`''`: of a new one), unless another server is asked for now. */
export function keptPlan(id: string, server: string | null): KeptPlan | null {
  if (kept === null || (kept.draft.id ?? '') !== id) return null;
  return server === null || server === kept.draft.server ? kept : null;
}

/** Forgets it: it holds secrets. */
export function forgetPlan(): void {
  kept = null;
}

/** Returns a kept plan with the destination that was added meanwhile. */
export function withAdded(plan: KeptPlan, added: DestinationRow | undefined, destinations: readonly DestinationRow[]): KeptPlan {
  if (!added || plan.draft.destinations.includes(added.id)) return plan;
  return { ...plan, draft: { ...plan.draft, destinations: toggled(plan.draft, added, destinations) } };
}

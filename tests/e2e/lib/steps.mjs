// Steps of one journey: each stands on those before it, so the first failure ends the journey.
import { test } from 'node:test';

/** Returns a `test` whose steps are skipped once one of them failed. */
export function journey() {
  let failed = null;
  return (name, step) =>
    test(name, async (t) => {
      if (failed) return t.skip(`"${failed}" failed before`);
      try {
        await step(t);
      } catch (error) {
        failed = name;
        throw error;
      }
    });
}

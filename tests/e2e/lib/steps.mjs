// Steps of one journey: each stands on those before it, so the first failure ends the journey.
import { test } from 'node:test';

/** Returns a `test` whose steps are skipped once one of them failed, or from the start where `missing` says why. */
export function journey(missing = null) {
  let failed = null;
  if (missing) console.log(`skipped: a journey in the real window: ${missing}`);
  return (name, step) =>
    test(name, async (t) => {
      if (missing) return t.skip(missing);
      if (failed) return t.skip(`"${failed}" failed before`);
      try {
        await step(t);
      } catch (error) {
        failed = name;
        throw error;
      }
    });
}

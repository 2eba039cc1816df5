// Ways to the steps of a new plan: through the window, as a user would go.
import { press } from './controls.mjs';

/** Goes to the second page of a new plan, with one destination ticked. */
export async function planWhere(page) {
  await page.getByRole('tree').first().waitFor();
  await press(page, 'Continue');
  await page.getByRole('checkbox', { name: 'nas' }).check();
}

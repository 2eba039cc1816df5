// Ways to the log-in of a server, its jump hosts and its host key: through the window, as a user would go.
import { press } from './controls.mjs';

/** Goes to the log-in of a new server. */
export async function loginOf(page, address) {
  await page.getByRole('textbox', { name: 'Address' }).fill(address);
  await press(page, 'Continue');
  await page.getByRole('textbox', { name: 'User' }).waitFor();
}

/** Adds a jump host that logs in in its own way. */
export async function addJump(page, way) {
  await press(page, 'Add a jump host');
  const jump = page.getByRole('group', { name: 'Jump host 1' });
  await jump.getByRole('textbox', { name: 'Address' }).fill('bastion.example.org');
  await jump.getByRole('textbox', { name: 'User' }).fill('anna');
  await jump.getByRole('combobox', { name: 'Log in by' }).click();
  await page.getByRole('option', { name: way }).click();
}

/** Waits until the page says that the host key has changed. */
export const wrongKey = (page) => page.getByText('Backstay does not connect.').waitFor();

// Ways to one backup and its copies: through the window, as a user would go.

/** Opens the first backup of the list in its panel; the list must be on screen. */
export async function openFirstBackup(page) {
  await page.locator('.dt-body-row').first().click();
  await page.getByRole('tree', { name: /^Contents of/ }).waitFor();
}

/** Opens the copies of the first backup of the list. */
export async function openCopies(page) {
  await page.locator('.dt-body-row').first().click();
  await page.getByRole('tab', { name: /^Copies/ }).click();
  await page.getByRole('list', { name: 'Copies' }).waitFor();
}

// Ways to the screens that several tests need: through the window, as a user would go.

/** Presses a button of the page by its name. */
export async function press(page, name) {
  await page.getByRole('button', { name, exact: true }).first().click();
}

/** Opens the first backup of the list in its panel; the list must be on screen. */
export async function openFirstBackup(page) {
  await page.locator('.dt-body-row').first().click();
  await page.getByRole('tree', { name: /^Contents of/ }).waitFor();
}

/** Goes from the list of backups to the first step of a restore. */
export async function goToRestore(page) {
  await openFirstBackup(page);
  await press(page, 'Restore…');
  await page.getByRole('heading', { level: 1, name: /^Restore / }).waitFor();
}

/** Goes on to the preview of a restore in the given mode. */
export async function goToPreview(page, mode) {
  await press(page, 'Continue');
  await page.getByRole('radio', { name: mode }).check();
  await press(page, 'Show what would happen');
  await page.getByRole('tab', { name: /^Overwrite/ }).waitFor();
}

/** Fills in the folder of a new destination and waits for its test. */
export async function testFolder(page, folder) {
  await page.getByLabel('Folder', { exact: true }).fill(folder);
  await press(page, 'Test it');
  await page.getByRole('button', { name: 'Test again' }).waitFor();
}

/** Makes a vault in a folder; ends on its recovery kit. */
export async function makeVault(page, folder) {
  await testFolder(page, folder);
  await press(page, 'Continue');
  await press(page, 'Make the vault');
  await page.getByRole('heading', { level: 1, name: /^Recovery kit of/ }).waitFor();
}

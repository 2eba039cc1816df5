// Controls of the page by their name, as every test finds them.

/** Presses a button of the page by its name. */
export async function press(page, name) {
  await page.getByRole('button', { name, exact: true }).first().click();
}

/** A button by its whole name. */
export const button = (page, name) => page.getByRole('button', { name, exact: true });

/** A heading by its name. */
export const heading = (page, name) => page.getByRole('heading', { name });

/** Whether a button can be pressed. */
export const enabled = (page, name) => page.getByRole('button', { name, exact: true }).first().isEnabled();

/** Waits for a dialog. */
export const dialog = (page) => page.getByRole('dialog').waitFor();

/** Waits until the focus is on what begins with this name. */
export const focused = (page, name) => page.waitForFunction((wanted) => document.activeElement?.matches('button, [role="grid"], h1, input') && (document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent ?? '').startsWith(wanted), name);

/** Waits until what the page has learnt by now is drawn. */
export const drawn = (page) => page.evaluate(async () => {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
});

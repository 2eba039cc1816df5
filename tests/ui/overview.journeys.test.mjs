// What a user does on the first screen.
import { journey, withBrowser } from './window.mjs';

withBrowser();

journey('a new installation can begin with what is there already', '/overview', async (page) => {
  await page.getByRole('link', { name: 'I have backups already' }).click();
  await page.getByRole('heading', { level: 1, name: 'Open existing backups' }).waitFor();
}, { scene: 'empty' });

// Trees of folders, of a server or of a backup. Only the lines near those in sight are drawn.
import { SPACE, waitFor } from './webdriver.mjs';

/** Runs in the page: the line of a path, or a part of the line. Scrolls on where the line is not drawn. */
function findLine(label, path, part) {
  const tree = [...document.querySelectorAll('[role=tree]')].find((one) => one.getAttribute('aria-label') === label);
  if (!tree) return null;
  const line = [...tree.querySelectorAll('[role=treeitem]')].find((one) => one.dataset.path === path);
  if (line) return part === null ? line : line.querySelector(part);
  const end = tree.scrollTop + tree.clientHeight >= tree.scrollHeight - 1;
  tree.scrollTop = end ? 0 : tree.scrollTop + tree.clientHeight;
  return null;
}

const clickLine = (session, label, path) => session.clickFound(`the line ${path}`, findLine, label, path, null);

async function seeTicked(session, label, path) {
  await waitFor(`${path} to be ticked`, async () => {
    const line = await session.run(findLine, label, path, null);
    return line !== null && (await session.run((element) => element.getAttribute('aria-checked'), line)) === 'true';
  });
}

/** Opens the folders above an absolute path, from the top down; they must be closed. Ticks the path by its box. */
export async function tickByMouse(session, label, path) {
  for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
    await clickLine(session, label, path.slice(0, end));
  }
  await session.clickFound(`the box of ${path}`, findLine, label, path, '.tree-tick');
  await seeTicked(session, label, path);
}

/** Goes to a line by a click, and ticks it by the space bar. */
export async function tickByKey(session, label, path) {
  await clickLine(session, label, path);
  const tree = await session.get('tree', label);
  await session.run((element) => element.focus(), tree);
  await session.press(SPACE);
  await seeTicked(session, label, path);
}

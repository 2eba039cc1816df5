// A small W3C WebDriver client: all that the journeys need, and no dependency that wants a newer Node.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { byRole } from './by-role.mjs';

/** Keys in WebDriver's alphabet. */
const DELETE = '\uE017';
export const CONTROL = '\uE009';
export const SPACE = '\uE00D';
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/** Returns a port nobody listens on. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Polls until `look` gives something, and says what was waited for if it never does. */
export async function waitFor(what, look, timeoutMs = 20_000) {
  const until = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) {
      const why = typeof what === 'function' ? await what() : what;
      throw new Error(`Waited ${timeoutMs} ms for ${why}${last ? `; last error: ${last.message}` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

/** One real window, driven. */
export class Session {
  #driver;
  #base;
  #id;
  #ended;
  /** The app's process. */
  pid = 0;
  output = '';

  /** Starts the app under WebKitWebDriver. `env` is the app's environment. */
  static async start(binary, env) {
    const session = new Session();
    const port = await freePort();
    session.#base = `http://127.0.0.1:${port}`;
    session.#driver = spawn('WebKitWebDriver', [`--port=${port}`, '--host=127.0.0.1'], {
      // Both variables are what makes Tauri open an automated web view; without them the session never starts.
      env: { ...env, TAURI_AUTOMATION: 'true', TAURI_WEBVIEW_AUTOMATION: 'true' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    session.#ended = new Promise((resolve) => session.#driver.once('exit', resolve));
    for (const stream of [session.#driver.stdout, session.#driver.stderr]) {
      stream.on('data', (text) => (session.output += text));
    }
    await waitFor('WebKitWebDriver to listen', async () => (await fetch(`${session.#base}/status`)).ok);
    const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': { binary, args: [] } } };
    const made = await session.#call('POST', '/session', { capabilities }, '');
    session.#id = made.sessionId;
    const children = await readFile(`/proc/${session.#driver.pid}/task/${session.#driver.pid}/children`, 'utf8');
    session.pid = Number(children.trim().split(' ')[0]);
    return session;
  }

  async #call(method, path, body, session = `/session/${this.#id}`, timeoutMs = 60_000) {
    const response = await fetch(`${this.#base}${session}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${value?.error}: ${value?.message}`);
    return value;
  }

  /** Runs a function in the page; `args` must be JSON. */
  async run(fn, ...args) {
    return this.#call('POST', '/execute/sync', { script: `return (${fn}).apply(null, arguments)`, args });
  }

  /** Runs an asynchronous function in the page and waits for it. */
  async runAsync(fn, ...args) {
    const script = `const done = arguments[arguments.length - 1]; const args = [...arguments].slice(0, -1);
      (${fn}).apply(null, args).then(value => done({ value }), error => done({ error: String(error?.message ?? JSON.stringify(error)) }))`;
    const { value, error } = await this.#call('POST', '/execute/async', { script, args });
    if (error) throw new Error(error);
    return value;
  }

  /** Runs script text in the page, e.g. a library. */
  async inject(script) {
    await this.#call('POST', '/execute/sync', { script, args: [] });
  }

  /** Finds visible elements by role and accessible name (a string or a regular expression), as a user would. */
  async all(role, name, { within, exact } = {}) {
    const pattern = name instanceof RegExp ? { source: name.source, flags: name.flags } : (name ?? null);
    return (await this.run(byRole, role, pattern, within ?? null, exact ?? false)) ?? [];
  }

  /** Waits for one element by role and name. */
  async get(role, name, options = {}) {
    const wanted = `${role} ${name ?? ''}`;
    const explain = async () => `${wanted}; the page says:\n${await this.text().catch(() => '(nothing)')}`;
    const found = await waitFor(explain, async () => {
      const elements = await this.all(role, name, options);
      return elements.at(options.nth ?? 0);
    }, options.timeout);
    return found;
  }

  /** Waits until an element is there and can be used, and clicks it. */
  async click(role, name, options = {}) {
    await waitFor(`${role} ${name} to be clicked`, async () => {
      const element = await this.get(role, name, options);
      if (await this.run((e) => e.disabled || e.getAttribute('aria-disabled') === 'true', element)) return false;
      // Radio buttons, ticks and switches are drawn by their labels; the input itself is out of sight.
      if (['radio', 'checkbox', 'switch'].includes(role)) await this.run((e) => e.click(), element);
      else await this.#press(element);
      return true;
    }, options.timeout);
  }

  /** Clicks what a function finds in the page, as soon as it finds it: for what has no role and name of its own. */
  async clickFound(what, find, ...args) {
    await waitFor(`${what} to be clicked`, async () => {
      const element = await this.run(find, ...args);
      if (element === null) return false;
      await this.#press(element);
      return true;
    });
  }

  /** Clicks the middle of an element with the mouse, after bringing it into sight and to rest. */
  async #press(element) {
    const { x, y, fault } = await this.runAsync(async (e) => {
      e.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      const frame = () => new Promise(requestAnimationFrame);
      const place = () => JSON.stringify(e.getBoundingClientRect());
      for (let before = null, frames = 0; before !== place(); frames++) {
        if (frames > 60 || !e.isConnected) return { fault: 'it does not come to rest' };
        before = place();
        await frame();
        await frame();
      }
      const box = e.getBoundingClientRect();
      const [x, y] = [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
      const top = document.elementFromPoint(x, y);
      if (top === null || !e.contains(top)) return { fault: `it is covered by ${top?.outerHTML.slice(0, 120) ?? 'nothing'}` };
      // Remembered, since the page may move between here and the press.
      window.__pressed = null;
      // A click, not the press alone: where the page moves between down and up, the browser makes none.
      addEventListener('click', (event) => (window.__pressed = e.contains(event.target)), { capture: true, once: true });
      return { x, y, fault: null };
    }, element);
    if (fault !== null) throw new Error(fault);
    const actions = [{ type: 'pointerMove', duration: 0, origin: 'viewport', x, y }, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }];
    await this.#call('POST', '/actions', { actions: [{ type: 'pointer', id: 'mouse', parameters: { pointerType: 'mouse' }, actions }] });
    if (!(await this.run(() => window.__pressed))) throw new Error('it moved away under the mouse');
  }

  /** Replaces the text of a field, and sees to it that the field holds it. */
  async fill(name, text, options = {}) {
    await waitFor(`${name} to hold the text`, async () => {
      const element = await this.get(options.role ?? 'textbox', name, options);
      // As a user empties a field. WebDriver's own "clear" tells the page nothing, which then puts its text back.
      const full = await this.run((field) => {
        field.focus();
        field.select();
        return field.value !== '';
      }, element);
      if (full) await this.press(DELETE);
      await this.#call('POST', `/element/${element[ELEMENT]}/value`, { text });
      const now = await this.run((field) => field.value, element);
      if (now !== text) throw new Error(`it holds ${JSON.stringify(now)}`);
      return true;
    }, options.timeout);
  }

  /** Presses keys on whatever has the focus: all of them down, then up again. */
  async press(...keys) {
    const actions = [...keys.map((value) => ({ type: 'keyDown', value })), ...keys.toReversed().map((value) => ({ type: 'keyUp', value }))];
    await this.#call('POST', '/actions', { actions: [{ type: 'key', id: 'keyboard', actions }] });
  }

  /** Picks an option of a drop-down. */
  async choose(name, option, options = {}) {
    await this.click(options.role ?? 'combobox', name, options);
    await this.click('option', option);
  }

  /** Returns the text of the page as the user reads it; nothing while its scripts have not run and only the shell is there. */
  async text() {
    return this.run(() => (document.querySelector('#root > .app[aria-hidden]') ? '' : document.body.innerText));
  }

  /** Waits until the page says something. */
  async see(text, timeout) {
    const has = (page) => (text instanceof RegExp ? text.test(page) : page.includes(text));
    const explain = async () => `the page to say ${text}; it says:\n${await this.text().catch(() => '(nothing)')}`;
    await waitFor(explain, async () => has(await this.text()), timeout);
  }

  /** Waits until the page no longer says something. */
  async gone(text, timeout) {
    await waitFor(`the page to stop saying ${text}`, async () => !(await this.text()).includes(text), timeout);
  }

  /** Waits until the page is at rest: nothing loads, nothing fades in or out, and its text stays as it is. */
  async settle() {
    let before = null;
    await waitFor('the page to come to rest', async () => {
      const now = await this.run(() => {
        const busy = document.querySelector('[aria-busy=true], .mantine-Skeleton-root, [data-loading]');
        const fading = document.getAnimations().some((one) => one.playState === 'running' && one.effect?.getComputedTiming().iterations !== Infinity);
        const reading = /(Reading|Searching)[^\n]*…/.test(document.body.innerText);
        return busy || fading || reading ? null : document.body.innerText.replace(/\d+ s ago|now/g, '');
      });
      const same = now !== null && now === before;
      before = now;
      return same;
    });
  }

  /** Calls one of Backstay's commands, as the window does. For setting a scene, not for what a journey is about. */
  async invoke(command, args = {}) {
    return this.runAsync((name, given) => window.__TAURI_INTERNALS__.invoke(name, given), command, args);
  }

  /** Writes what the window shows into a PNG file. */
  async screenshot(file) {
    // The picture is of the last frame drawn, which may be older than what the page holds by now.
    await this.runAsync(async () => {
      for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    });
    await this.#call('GET', '/screenshot');
    await writeFile(file, Buffer.from(await this.#call('GET', '/screenshot'), 'base64'));
  }

  /** Sets the window's size. */
  async resize(width, height) {
    await this.#call('POST', '/window/rect', { width, height });
  }

  /** Ends the app and its driver, even ones that no longer answer. */
  async end() {
    const gone = (ms) => waitFor('the app to end', () => !existsSync(`/proc/${this.pid}`), ms).then(() => true, () => false);
    await this.#call('DELETE', '', undefined, undefined, 10_000).catch(() => {});
    if (this.pid && !(await gone(5_000))) process.kill(this.pid, 'SIGKILL');
    this.#driver.kill();
    await this.#ended;
  }
}

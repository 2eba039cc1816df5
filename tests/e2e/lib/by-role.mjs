// Runs inside the page: finds visible elements by role and accessible name, as assistive technology would.
// One self-contained function, since only its text crosses into the page.

export function byRole(role, name, within, exact) {
  const implicit = {
    button: 'button,summary,input[type=button],input[type=submit]',
    link: 'a[href]',
    textbox: 'input:not([type]),input[type=text],input[type=password],input[type=search],input[type=number],input[type=email],textarea',
    combobox: 'select,input[role=combobox],input[aria-haspopup=listbox]',
    checkbox: 'input[type=checkbox]',
    radio: 'input[type=radio]',
    heading: 'h1,h2,h3,h4',
    row: 'tr',
    dialog: 'dialog',
    progressbar: 'progress',
    table: 'table',
    group: 'fieldset',
    navigation: 'nav',
  };
  const text = (node) => (node?.innerText ?? node?.textContent ?? '').replace(/\s+/g, ' ').trim();
  const visible = (element) => {
    const toggle = ['checkbox', 'radio'].includes(element.type);
    const box = element.getBoundingClientRect();
    if (toggle) return element.isConnected;
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== 'hidden';
  };
  const nameOf = (element) => {
    const by = element.getAttribute('aria-labelledby');
    if (by) {
      const words = by.split(/\s+/).map((id) => text(document.getElementById(id))).join(' ').trim();
      if (words) return words;
    }
    const label = element.getAttribute('aria-label');
    if (label) return label.trim();
    if (element.tagName === 'FIELDSET' && element.querySelector('legend')) return text(element.querySelector('legend'));
    if (element.labels?.length) return [...element.labels].map(text).join(' ');
    const field = ['INPUT', 'TEXTAREA', 'SELECT'].includes(element.tagName);
    if (!field && text(element)) return text(element);
    return (element.getAttribute('title') ?? element.getAttribute('alt') ?? element.getAttribute('placeholder') ?? '').trim();
  };
  const matches = (found) => {
    if (name === null) return true;
    if (typeof name === 'object') return new RegExp(name.source, name.flags).test(found);
    const plain = found.replace(/\s*\*$/, '').toLowerCase();
    return exact ? plain === name.toLowerCase() : plain === name.toLowerCase() || plain.includes(name.toLowerCase());
  };
  const root = within ?? document;
  const selector = [`[role=${role}]`, implicit[role]].filter(Boolean).join(',');
  const found = [...root.querySelectorAll(selector)].filter((element) => {
    const own = element.getAttribute('role');
    if (own && own !== role) return false;
    if (element.closest('[aria-hidden=true],[inert]')) return false;
    return visible(element) && matches(nameOf(element));
  });
  // An exact name goes before one that only contains the words: "Back up" before "Back up now".
  if (typeof name === 'string') {
    const equal = (element) => nameOf(element).replace(/\s*\*$/, '').toLowerCase() === name.toLowerCase();
    found.sort((a, b) => Number(equal(b)) - Number(equal(a)));
  }
  return found;
}

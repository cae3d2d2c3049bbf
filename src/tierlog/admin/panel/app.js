/**
 * The panel: shows the view that the address asks for, and asks who is there when the server wants to know.
 */

import { getJSON, whenRefused } from './api.js';
import { button, h, replace, say } from './dom.js';
import { showHelp, startKeys, useKeys } from './keys.js';
import { current, follow, go, href } from './route.js';
import { forget, keep, takeFromAddress, token } from './session.js';
import { isolated } from './text.js';
import { applyTheme, nextTheme, theme } from './theme.js';
import { build } from './views/build.js';
import { builds } from './views/builds.js';
import { live } from './views/live.js';
import { search } from './views/search.js';
import { stats } from './views/stats.js';
import { timeline } from './views/timeline.js';

const VIEWS = [
  ['builds', 'Builds', builds],
  ['system', 'System', search('system')],
  ['actions', 'Actions', search('action')],
  ['timeline', 'Timeline', timeline],
  ['live', 'Live', live],
  ['stats', 'Stats', stats],
];

const main = document.getElementById('main');
const nav = document.getElementById('nav');
const tools = document.getElementById('tools');

/** @type {{name: string, view: {show: Function, keys?: object, destroy: Function}}|null} */
let open = null;

function show() {
  const route = current();
  const [name, ofWhat] = route.path;
  const [, label, make] = VIEWS.find(([one]) => one === name) ?? VIEWS[0];
  const key = ofWhat ? route.path.join('/') : label;
  for (const link of nav.children) link.setAttribute('aria-current', String(link.textContent === label && 'page'));
  document.title = `${ofWhat ? `Build ${ofWhat.slice(0, 40)}` : label} · tierlog`;
  if (open?.name === key) open.view.show(route);
  else {
    const isFirst = open === null;
    close();
    open = { name: key, view: (name === 'builds' && ofWhat ? build : make)(main, route) };
    // What had the focus may be gone.
    if (!isFirst && document.activeElement === document.body) focusList();
  }
  useKeys(new Proxy({}, { get: (_, pressed) => open?.view.keys?.[pressed] }));
}

function focusList() {
  (main.querySelector('[role="grid"], [tabindex="0"]') ?? main).focus({ preventScroll: true });
}

function close() {
  open?.view.destroy();
  open = null;
  main.replaceChildren();
}

/** Ask for a token; what was asked for stays in the address, and is shown then. */
function signIn(problem) {
  if (main.querySelector('.sign-in')) return;
  close();
  useKeys({});
  const input = h('input', {
    type: 'password',
    id: 'token',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    'aria-describedby': 'token-note',
  });
  const submit = (event) => {
    event.preventDefault();
    keep(input.value);
    start();
  };
  main.append(
    h(
      'form',
      { class: 'sign-in', onsubmit: submit },
      h('h1', null, 'Sign in'),
      h('label', { for: 'token' }, 'Token'),
      input,
      h('p', { id: 'token-note', class: 'dim' }, 'Kept for this tab only. tierlog serve prints one when it starts.'),
      token() && problem && h('p', { class: 'warn', role: 'alert' }, problem.message),
      h('button', { type: 'submit', class: 'primary' }, 'Sign in'),
    ),
  );
  forget();
  replace(tools, ...common());
  input.focus();
}

function common() {
  const names = { auto: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' };
  const icons = { auto: '◐', light: '☀', dark: '☾' };
  const themeButton = button(
    icons[theme()],
    () => {
      const now = nextTheme();
      themeButton.textContent = icons[now];
      themeButton.setAttribute('aria-label', names[now]);
      themeButton.title = names[now];
      say(names[now]);
    },
    { class: 'icon', 'aria-label': names[theme()], title: names[theme()] },
  );
  return [themeButton, button('?', showHelp, { class: 'icon', 'aria-label': 'Keys', title: 'Keys (?)' })];
}

async function start() {
  const known = token();
  replace(tools, ...common());
  if (!known) return signIn(null);
  main.querySelector('.sign-in')?.remove();
  show();
  const me = await getJSON('me').catch(() => null);
  if (me && token() === known) {
    replace(
      tools,
      h('span', { class: 'who', title: me.scopes?.join(', ') }, isolated(me.sub)),
      ...common(),
      button('Sign out', () => (forget(), signIn(null)), { class: 'plain' }),
    );
  }
}

takeFromAddress();
applyTheme();
replace(
  nav,
  VIEWS.map(([name, label], i) => h('a', { href: href(name), 'aria-keyshortcuts': i + 1 }, label)),
);
document.getElementById('skip').addEventListener('click', focusList);
startKeys({ '?': showHelp, ...Object.fromEntries(VIEWS.map(([name], i) => [String(i + 1), () => go(href(name))])) });
whenRefused(signIn);
// A new link that is pasted into this tab loads no new page.
follow(() => (takeFromAddress() ? start() : token() && show()));
start();

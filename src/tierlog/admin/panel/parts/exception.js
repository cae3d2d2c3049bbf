/**
 * Shows an exception as its reader knows it: the innermost frame last, causes above.
 */

import { h } from '../dom.js';
import { visible } from '../text.js';

/** Return what `data.exc` says. */
export function exception(exc) {
  if (typeof exc === 'string') return h('pre', { class: 'exc' }, visible(exc));
  const [before, words] = exc.cause ? [exc.cause, 'which was the cause of'] : [exc.context, 'and while that was handled'];
  return h(
    'div',
    { class: 'exc' },
    before && [exception(before), h('p', { class: 'exc-link' }, words)],
    h(
      'ol',
      null,
      (exc.frames ?? []).map((frame) =>
        h(
          'li',
          null,
          h('span', { class: 'exc-func' }, visible(String(frame.func ?? '?'))),
          h('span', { class: 'exc-where' }, visible(`${frame.file ?? '?'}:${frame.line ?? '?'}`)),
        ),
      ),
    ),
    h('p', { class: 'exc-what' }, h('b', null, visible(String(exc.type ?? ''))), visible(exc.message ? `: ${exc.message}` : '')),
    (exc.notes ?? []).map((note) => h('p', { class: 'exc-note' }, visible(String(note)))),
    (exc.exceptions ?? exc.group ?? []).map(exception),
  );
}

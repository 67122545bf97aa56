// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require ui';

// What the pages are built of. Elements are made anew from what is known, and `morph` takes over only what differs: the
// focus, a text that is being marked and the place on the page stay. For that no element has a handler of its own: `on`
// sends what is pressed to the action that its `data-do` names.
//
// Much of what is shown was said by devices on the LAN. `el` makes text nodes of all strings; nothing here, and nothing
// that uses it, makes HTML of a string (E() does, with a string that is not in an array), and `data-tooltip`, of which
// LuCI makes HTML, is not used.

const STYLE = [
	'.pp-cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(15em,100%),1fr));gap:.75em;margin:0 0 1em}',
	'.pp-card{border:1px solid rgba(128,128,128,.35);border-radius:4px;padding:.7em .9em;min-width:0;overflow-wrap:anywhere;display:flex;flex-direction:column;gap:.35em}',
	'.pp-card h3{margin:0;padding:0;border:0;font-size:1em;line-height:1.4}',
	'.pp-card .pp-row:last-child{margin-top:auto}',
	'.pp-row{display:flex;flex-wrap:wrap;gap:.4em;align-items:center}',
	'.pp-row>.btn,.pp-row>.cbi-button,.pp-actions>.btn{margin:0}',
	'.pp-small{font-size:.92em;opacity:.8}',
	'.pp-mono{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.95em}',
	'.pp-badge{display:inline-block;border-radius:3px;padding:.1em .5em;font-weight:bold;font-size:.9em;line-height:1.5;white-space:nowrap;color:#fff}',
	'.pp-badge>span{margin-right:.35em}',
	'.pp-good{background:#17703f}',
	'.pp-warn{background:#f2c744;color:#2b2200}',
	'.pp-bad{background:#b3261e}',
	'.pp-info{background:#1b5fae}',
	'.pp-off{background:#666e78}',
	'.pp-box{border:1px solid rgba(128,128,128,.35);border-left-width:5px;border-radius:3px;padding:.6em .9em;margin:0 0 .75em;overflow-wrap:anywhere}',
	'.pp-box>*{margin:.2em 0}',
	'.pp-box h4{padding:0;border:0;font-size:1.05em}',
	'.pp-box ul,.pp-box ol{padding-left:1.4em}',
	'.pp-box-good{border-left-color:#17703f}',
	'.pp-box-warn{border-left-color:#e0ad14}',
	'.pp-box-bad{border-left-color:#b3261e}',
	'.pp-box-info{border-left-color:#1b5fae}',
	'.pp-box-top{display:flex;gap:.75em;align-items:flex-start}',
	'.pp-box-top>:first-child{flex:1;min-width:0}',
	'.pp-tools{display:flex;flex-wrap:wrap;gap:.5em;align-items:center;margin:0 0 .75em}',
	'.pp-tools input[type=search]{width:16em;max-width:100%;box-sizing:border-box;height:auto}',
	'.pp-tools select,.pp-tools input{margin:0}',
	'.pp-tools .pp-spring{flex:1}',
	'.pp-list{table-layout:auto}',
	'.pp-list>thead>tr>th{white-space:nowrap}',
	'.pp-list>tbody>tr>td{overflow-wrap:break-word;max-width:22em}',
	'.pp-list>tbody>tr>td:first-child{min-width:9em}',
	'.pp-list>tbody>tr.pp-under>td{max-width:none}',
	'.pp-list>tbody>tr>td>.pp-mono{white-space:nowrap}',
	'.pp-list>tbody>tr>td{vertical-align:top}',
	'.pp-list>tbody>tr.pp-under>td{border-top:0;padding-top:0}',
	'.pp-page .pp-nowrap{white-space:nowrap;overflow-wrap:normal}',
	'.pp-list .pp-actions{text-align:right}',
	'.pp-actions{display:flex;flex-wrap:wrap;gap:.35em;justify-content:flex-end}',
	'button.pp-open{background:none;border:0;box-shadow:none;padding:0;margin:0;color:inherit;font:inherit;font-weight:bold;text-align:left;cursor:pointer;display:inline-flex;gap:.45em;align-items:baseline}',
	'button.pp-open:hover{text-decoration:underline}',
	'button.pp-plain{font-weight:normal}',
	'.pp-open>.pp-turn{display:inline-block;transition:transform .12s;font-size:.8em}',
	'.pp-open[aria-expanded=true]>.pp-turn{transform:rotate(90deg)}',
	'.pp-page :focus-visible{outline:2px solid #2a7de1;outline-offset:2px}',
	'.pp-page [aria-disabled=true]{opacity:.6;cursor:default}',
	'.pp-story{border-left:3px solid rgba(128,128,128,.35);padding:.2em 0 .2em 1em;display:grid;gap:1em}',
	'.pp-story>*{min-width:0}',
	'.pp-story h4{margin:0 0 .3em;padding:0;border:0;font-size:1em}',
	'.pp-two{display:grid;grid-template-columns:minmax(14em,2fr) minmax(0,3fr);gap:1em 2em;align-items:start}',
	'.pp-facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15em 1em;margin:0}',
	'.pp-facts dt{font-weight:normal;opacity:.8}',
	'.pp-facts dd{margin:0;overflow-wrap:anywhere}',
	'.pp-scroll{overflow:auto;max-width:100%}',
	'.pp-generations{width:100%;border-collapse:collapse}',
	'.pp-generations th,.pp-generations td{text-align:left;padding:.3em .8em .3em 0;vertical-align:top;border-top:1px solid rgba(128,128,128,.25)}',
	'.pp-generations th,.pp-generations td{white-space:nowrap;overflow-wrap:normal}',
	'.pp-generations td:nth-child(4){white-space:normal;min-width:14em}',
	'.pp-events{list-style:none;margin:0;padding:0;max-height:24em;overflow:auto}',
	'.pp-page li{color:inherit}',
	'.pp-events li{display:grid;grid-template-columns:max-content 7.5em minmax(0,1fr);gap:0 .8em;padding:.15em 0;overflow-wrap:anywhere}',
	'.pp-steps{list-style:none;margin:.4em 0;padding:0}',
	'.pp-steps li{display:grid;grid-template-columns:1.4em minmax(0,1fr);gap:0 .3em;padding:.15em 0;overflow-wrap:anywhere}',
	'.pp-log{max-height:65vh;overflow:auto;border:1px solid rgba(128,128,128,.35);border-radius:3px}',
	'.pp-log table{width:100%;margin:0;border-collapse:collapse}',
	'.pp-log td,.pp-log th{padding:.3em .7em;text-align:left;vertical-align:top;border-top:1px solid rgba(128,128,128,.2);overflow-wrap:anywhere}',
	'.pp-log thead th{border-top:0}',
	'.pp-log .pp-mono{white-space:nowrap}',
	'.pp-hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}',
	'@media(max-width:960px){',
	'.pp-list,.pp-list>tbody{display:block;width:100%;box-sizing:border-box}',
	'.pp-list>thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}',
	'.pp-list>tbody{border:1px solid rgba(128,128,128,.35);border-radius:4px;padding:.5em .7em;margin:0 0 .7em}',
	'.pp-list>tbody>tr.tr{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:.4em .8em;margin:0;padding:0;border:0}',
	'.pp-list>tbody>tr.tr.pp-under{display:block;margin-top:.6em}',
	'.pp-list>tbody>tr.tr>td.td{display:block;border:0;padding:0;text-align:left;overflow:visible}',
	'.pp-list>tbody>tr.tr>td.td.pp-wide{grid-column:1/-1}',
	'.pp-list>tbody>tr.tr>td.td{max-width:none;overflow-wrap:anywhere}',
	'.pp-list>tbody>tr.tr>td[data-label]::before{content:attr(data-label);display:block;font-size:.85em;opacity:.75}',
	'.pp-cards{grid-template-columns:repeat(auto-fit,minmax(min(11em,100%),1fr))}',
	'.pp-list .pp-actions{justify-content:flex-start}',
	'.pp-story{padding-left:.6em}',
	'.pp-two{grid-template-columns:minmax(0,1fr)}',
	'.pp-events li{grid-template-columns:max-content minmax(0,1fr)}',
	'.pp-events li>:last-child{grid-column:1/-1}',
	'.pp-log thead{display:none}',
	'.pp-log tr{display:grid;grid-template-columns:max-content max-content minmax(0,1fr);gap:0 .8em;border-top:1px solid rgba(128,128,128,.2);padding:.3em .6em}',
	'.pp-log td{border:0;padding:0}',
	'.pp-log td:last-child{grid-column:1/-1}',
	'.pp-tools input[type=search]{width:100%}',
	'}',
	'@media(prefers-reduced-motion:reduce){.pp-open>.pp-turn{transition:none}}'
].join('\n');

const MARKS = { good: '✓', warn: '!', bad: '✕', info: '•', off: '–' };

function el(tag, attrs, ...children) {
	const set = Object.entries(attrs ?? {}).filter(([ , value ]) => value != null && value !== false);

	return E(tag, Object.fromEntries(set), children.flat(Infinity).filter(child => child != null && child !== false));
}

function keyOf(node) {
	return node.nodeType == Node.ELEMENT_NODE ? node.getAttribute('data-key') : null;
}

function same(a, b) {
	return a.nodeType == b.nodeType && a.nodeName == b.nodeName && keyOf(a) == keyOf(b);
}

// Makes `old` what `fresh` is, with as little change as that takes.
function morph(old, fresh) {
	if (old.nodeType == Node.TEXT_NODE) {
		if (old.data !== fresh.data)
			old.data = fresh.data;
		return;
	}

	for (const { name } of [ ...old.attributes ])
		if (!fresh.hasAttribute(name))
			old.removeAttribute(name);
	for (const { name, value } of fresh.attributes)
		if (old.getAttribute(name) !== value)
			old.setAttribute(name, value);

	morphChildren(old, [ ...fresh.childNodes ]);
}

function morphChildren(parent, fresh) {
	const keyed = new Map();

	for (const node of parent.childNodes)
		if (keyOf(node) != null)
			keyed.set(keyOf(node), node);

	const staying = new Set(fresh.map(keyOf).filter(key => key != null));
	let at = parent.firstChild;

	for (const node of fresh) {
		// what goes away is no reason to move what stays: a moved element loses the focus
		while (at && keyOf(at) != null && !staying.has(keyOf(at))) {
			const gone = at;
			at = at.nextSibling;
			gone.remove();
		}

		const found = keyOf(node) != null ? keyed.get(keyOf(node)) : at;

		if (!found || !same(found, node)) {
			parent.insertBefore(node, at);
			continue;
		}
		if (found === at)
			at = at.nextSibling;
		else
			parent.insertBefore(found, at);
		morph(found, node);
	}

	while (at) {
		const gone = at;
		at = at.nextSibling;
		gone.remove();
	}
}

return baseclass.extend({
	el,
	morph,

	/** The root of a page, with its style and the region that screen readers follow. */
	root(...children) {
		return el('div', { 'class': 'cbi-map pp-page' }, el('style', { 'type': 'text/css' }, STYLE), children,
			el('div', { 'class': 'pp-hidden', 'role': 'status', 'aria-live': 'polite', 'data-live': '' }));
	},

	/** Shows `children` in `container`. */
	show(container, ...children) {
		morphChildren(container, children.flat(Infinity).filter(child => child != null && child !== false)
			.map(child => child instanceof Node ? child : document.createTextNode(String(child))));
	},

	/** Has a screen reader say it. */
	say(root, text) {
		const live = root.querySelector('[data-live]');

		live.textContent = text;
		// said once; who walks through the page later does not come by it again
		window.setTimeout(() => {
			if (live.textContent === text)
				live.textContent = '';
		}, 3000);
	},

	/** Calls `actions[name](element)` when something with `data-do="name"` is pressed below `root`. */
	on(root, actions) {
		root.addEventListener('click', event => {
			const target = event.target.closest?.('[data-do]');

			if (!target || !root.contains(target) || !Object.hasOwn(actions, target.dataset.do))
				return;
			event.preventDefault();
			// not `disabled`, which would take the focus away
			if (target.getAttribute('aria-disabled') != 'true')
				actions[target.dataset.do](target);
		});
	},

	badge(tone, label) {
		return el('span', { 'class': 'pp-badge pp-' + tone }, el('span', { 'aria-hidden': 'true' }, MARKS[tone]), label);
	},

	mark(tone, word) {
		return el('span', {}, el('span', { 'aria-hidden': 'true' }, MARKS[tone]), el('span', { 'class': 'pp-hidden' }, word));
	},

	/** A framed message. `alert`: a screen reader interrupts for it. */
	box(tone, attrs, ...children) {
		return el('div', Object.assign({ 'class': 'pp-box pp-box-' + tone }, attrs), children);
	},

	/**
	 * A button. `kind` is one of LuCI's: action, positive, negative, neutral. `attrs` has `data-do`, and `busy: true` while
	 * what it does is under way.
	 */
	button(kind, label, attrs) {
		const { busy, ...rest } = attrs;

		return el('button', Object.assign({
			'type': 'button',
			'class': 'btn cbi-button cbi-button-' + kind + (busy ? ' spinning' : ''),
			'aria-disabled': busy ? 'true' : null,
			'aria-busy': busy ? 'true' : null
		}, rest), label);
	},

	/** Asks before something that cannot be taken back; resolves to yes or no. */
	confirm(title, paragraphs, label, kind) {
		const before = document.activeElement;

		return new Promise(resolve => {
			const end = yes => () => {
				ui.hideModal();
				before?.focus?.();
				resolve(yes);
			};
			const no = el('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': end(false) }, _('Cancel'));

			// Escape presses the first button of .right
			ui.showModal([ title ], [
				...paragraphs.map(text => el('p', {}, text)),
				el('div', { 'class': 'right' }, no, ' ',
					el('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-' + (kind ?? 'negative'), 'click': end(true) }, label))
			]);
			no.focus();
		});
	}
});

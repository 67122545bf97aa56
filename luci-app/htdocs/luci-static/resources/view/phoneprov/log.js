// SPDX-License-Identifier: MPL-2.0
'use strict';
'require view';
'require poll';
'require ui';
'require phoneprov.agent as agent';
'require phoneprov.journal as journal';
'require phoneprov.page as page';
'require phoneprov.words as words';

// What the agent and the phones did, as it happens.

const el = page.el;

const EVERY = 3;
const NAMES_EVERY = 30;

const state = {
	now: 0,
	offline: null,
	names: new Map(),
	kind: '',
	mac: '',
	search: '',
	newestFirst: true,
	paused: false,
	// what was shown when it was paused
	frozen: null,
	copied: null
};

let parts = null;
let namesAt = 0;

async function lookAtNames() {
	if (Date.now() - namesAt < NAMES_EVERY * 1000)
		return;
	namesAt = Date.now();

	const answer = await agent.phones().catch(() => null);

	for (const phone of answer?.phones ?? [])
		state.names.set(phone.mac, words.phoneName(phone));
}

async function look() {
	state.now = Math.floor(Date.now() / 1000);
	try {
		const answer = await agent.events();

		journal.take(answer.events ?? []);
		state.offline = null;
		await lookAtNames();
	}
	catch (error) {
		state.offline = error.message;
	}
	draw();
}

function matches(line) {
	if (line.note)
		return !state.kind && !state.mac && !state.search;

	const event = line.event;
	const needle = state.search.trim().toLowerCase();

	return (!state.kind || event.kind == state.kind)
		&& (!state.mac || event.mac == state.mac)
		&& (!needle || [ event.text, event.mac, state.names.get(event.mac) ].join('\n').toLowerCase().includes(needle));
}

function all() {
	return state.frozen ?? journal.lines;
}

const noteWords = line => line.note == 'restart' ? _('The agent was started anew.') : _('Events are missing here: there were more than the agent keeps.');

function lineRow(line) {
	const cell = (attrs, ...children) => el('td', Object.assign({ 'role': 'cell' }, attrs), children);

	if (line.note)
		return el('tr', { 'data-key': line.key, 'role': 'row' }, cell({}, words.clock(line.time, state.now)),
			cell({ 'colspan': '3' }, el('em', {}, noteWords(line))));

	const { time, kind, mac, text } = line.event;

	return el('tr', { 'data-key': line.key, 'role': 'row' },
		cell({ 'class': 'pp-nowrap', 'title': words.moment(time) }, words.clock(time, state.now)),
		cell({ 'class': 'pp-nowrap' }, words.kind(kind)),
		cell({}, mac && el('button', { 'type': 'button', 'class': 'pp-open pp-plain', 'data-do': 'phone', 'data-mac': mac, 'title': _('Show only this phone') },
			el('span', {}, state.names.get(mac) ? state.names.get(mac) + ' ' : '', el('span', { 'class': 'pp-mono' }, mac)))),
		cell({}, text));
}

function optionsOf(pairs) {
	return pairs.map(([ value, label ]) => el('option', { 'value': value }, label));
}

function drawChoices() {
	const macs = [ ...new Set(all().map(line => line.event?.mac).filter(mac => mac)) ].sort();

	if (state.mac && !macs.includes(state.mac))
		macs.push(state.mac);
	page.show(parts.phone, optionsOf([ [ '', _('All phones') ],
		...macs.map(mac => [ mac, [ state.names.get(mac), mac ].filter(text => text).join(' ') ]) ]));
	parts.phone.value = state.mac;
	parts.kind.value = state.kind;
}

function drawState(lines) {
	const waiting = state.frozen ? journal.lines.filter(line => line.event && !state.frozen.includes(line)).length : 0;

	page.show(parts.state,
		state.offline && page.box('bad', { 'data-key': 'offline', 'role': 'alert' }, el('p', {}, state.offline),
			el('p', {}, _('What was seen before stays here. It goes on when the agent runs again.'))),
		state.paused && page.box('info', { 'data-key': 'paused', 'role': 'status' }, el('p', {}, _('Paused. New events meanwhile: %d').format(waiting))));
	page.show(parts.pause, state.paused ? _('Continue') : _('Pause'));
	parts.pause.setAttribute('aria-pressed', state.paused ? 'true' : 'false');
	page.show(parts.order, state.newestFirst ? _('Newest last') : _('Newest first'));
	page.show(parts.count, state.copied ?? _('Events: %d').format(lines.filter(line => line.event).length));
}

function draw() {
	if (!parts)
		return;

	const lines = all().filter(matches);
	const box = parts.box;
	const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;

	drawChoices();
	drawState(lines);
	page.show(parts.body, (state.newestFirst ? lines.slice().reverse() : lines).map(lineRow));
	page.show(parts.nothing, !lines.length && el('p', {}, all().length ? _('No event matches.') : _('Nothing has happened yet.')));
	box.style.display = lines.length ? '' : 'none';
	if (!state.newestFirst && atEnd)
		box.scrollTop = box.scrollHeight;
}

function asText(lines) {
	return lines.map(line => {
		const time = new Date((line.event ?? line).time * 1000).toISOString();

		return line.event ? [ time, line.event.kind, line.event.mac ?? '-', line.event.text ].join(' ') : [ time, '-', '-', noteWords(line) ].join(' ');
	}).join('\n') + '\n';
}

// The clipboard is there only where the page came by HTTPS; on most routers it did not.
async function toClipboard(text) {
	if (window.isSecureContext && navigator.clipboard)
		try {
			await navigator.clipboard.writeText(text);
			return true;
		}
		catch (_error) {
			// it may be forbidden; there is another way
		}

	const area = el('textarea', { 'class': 'pp-hidden', 'readonly': '', 'aria-hidden': 'true' });

	area.value = text;
	parts.root.appendChild(area);
	area.select();

	const done = document.execCommand('copy');

	area.remove();
	parts.copy.focus();
	return done;
}

async function copy() {
	const lines = all().filter(matches);
	const text = asText(lines);

	if (await toClipboard(text)) {
		state.copied = _('Copied: %d').format(lines.length);
		window.setTimeout(() => {
			state.copied = null;
			draw();
		}, 4000);
		return draw();
	}

	const area = el('textarea', { 'readonly': '', 'rows': '15', 'style': 'width:100%', 'aria-label': _('Events') });

	area.value = text;
	ui.showModal([ _('Copy the events') ], [ area, el('div', { 'class': 'right' },
		el('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': () => ui.hideModal() }, _('Close'))) ]);
	area.select();
}

const actions = {
	copy,
	pause() {
		state.paused = !state.paused;
		state.frozen = state.paused ? journal.lines.slice() : null;
		draw();
	},
	order() {
		state.newestFirst = !state.newestFirst;
		draw();
		parts.box.scrollTop = state.newestFirst ? 0 : parts.box.scrollHeight;
	},
	phone(target) {
		state.mac = state.mac == target.dataset.mac ? '' : target.dataset.mac;
		draw();
	}
};

return view.extend({
	handleSave: null,
	handleSaveApply: null,
	handleReset: null,

	load() {
		const wanted = /^#((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/.exec(window.location.hash);

		if (wanted)
			state.mac = wanted[1];
		return look();
	},

	render() {
		const th = label => el('th', { 'scope': 'col', 'role': 'columnheader' }, label);
		const select = label => el('select', { 'class': 'cbi-input-select', 'style': 'width:auto', 'aria-label': label });

		parts = {
			kind: select(_('Kind of event')),
			phone: select(_('Phone')),
			search: el('input', { 'type': 'search', 'class': 'cbi-input-text', 'placeholder': _('Search …'), 'aria-label': _('Search events'), 'autocomplete': 'off' }),
			pause: page.button('neutral', '', { 'data-do': 'pause' }),
			order: page.button('neutral', '', { 'data-do': 'order' }),
			copy: page.button('neutral', _('Copy'), { 'data-do': 'copy' }),
			count: el('span', { 'class': 'pp-small', 'role': 'status' }),
			state: el('div'),
			nothing: el('div'),
			body: el('tbody', { 'role': 'rowgroup' })
		};
		page.show(parts.kind, optionsOf([ [ '', _('All kinds') ], ...words.kinds.map(kind => [ kind, words.kind(kind) ]) ]));
		parts.box = el('div', { 'class': 'pp-log', 'tabindex': '0', 'role': 'region', 'aria-label': _('Events') },
			el('table', { 'role': 'table', 'aria-label': _('Events') },
				el('thead', { 'role': 'rowgroup' }, el('tr', { 'role': 'row' }, th(_('Time')), th(_('Kind')), th(_('Phone')), th(_('What happened')))), parts.body));
		parts.kind.addEventListener('change', () => {
			state.kind = parts.kind.value;
			draw();
		});
		parts.phone.addEventListener('change', () => {
			state.mac = parts.phone.value;
			draw();
		});
		parts.search.addEventListener('input', () => {
			state.search = parts.search.value;
			draw();
		});
		parts.root = page.root(el('h2', {}, _('Log')), el('div', { 'class': 'pp-tools' }, parts.kind, parts.phone, parts.search, parts.count,
			el('span', { 'class': 'pp-spring' }), parts.pause, parts.order, parts.copy), parts.state, parts.nothing, parts.box);
		page.on(parts.root, actions);
		draw();

		poll.add(() => document.hidden ? Promise.resolve() : look(), EVERY);
		document.addEventListener('visibilitychange', () => {
			if (!document.hidden)
				look();
		});
		return parts.root;
	}
});

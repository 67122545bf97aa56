// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require phoneprov.page as page';
'require phoneprov.story as story';
'require phoneprov.words as words';

// One phone in the list: a <tbody> of its line, what came of the last action, and its story when it is open.

const el = page.el;

const COLUMNS = 6;

function address(ip) {
	if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(ip ?? ''))
		return el('div', { 'class': 'pp-small' }, _('no address yet'));
	return el('div', {}, el('a', {
		'href': 'http://' + ip + '/', 'target': '_blank', 'rel': 'noopener noreferrer', 'title': _('Open the web page of the phone')
	}, ip));
}

function act(state, phone, verb, kind, label, attrs) {
	return page.button(kind, label, Object.assign({
		'data-do': verb, 'data-mac': phone.mac, 'aria-label': label + ' ' + phone.mac, 'busy': state.busy.has(verb + ':' + phone.mac)
	}, attrs));
}

function buttons(state, phone, group) {
	const titles = {
		refresh: _('Ask the provider for its config now'), resync: _('Tell the phone to fetch its config now'),
		accept: _('Give the phone the new config'), reject: _('Drop the new config'), admit: _('Let this phone in')
	};
	const offer = (verb, kind, label) => act(state, phone, verb, kind, label, { 'data-key': verb, 'title': titles[verb] });

	switch (group) {
	case 'door':
		return [ offer('admit', 'positive', _('Admit')) ];
	case 'held':
		return [ offer('accept', 'positive', _('Accept')), !phone.config.held?.rejected && offer('reject', 'negative', _('Reject')),
			offer('refresh', 'neutral', _('Refresh')) ];
	case 'pinned':
		return [ offer('accept', 'positive', _('Accept')), offer('refresh', 'neutral', _('Refresh')), offer('resync', 'neutral', _('Resync')) ];
	default:
		return [ offer('refresh', 'neutral', _('Refresh')), offer('resync', 'neutral', _('Resync')) ];
	}
}

function under(key, child) {
	return el('tr', { 'class': 'tr pp-under', 'role': 'row', 'data-key': key },
		el('td', { 'class': 'td', 'role': 'cell', 'colspan': String(COLUMNS) }, child));
}

function outcome(state, phone) {
	const result = state.results.get(phone.mac);

	return result && under('result', story.result(result, phone.mac));
}

return baseclass.extend({
	columns: COLUMNS,

	head(write) {
		const th = (label, hidden) => el('th', { 'class': 'th', 'scope': 'col', 'role': 'columnheader' },
			hidden ? el('span', { 'class': 'pp-hidden' }, label) : label);

		return el('thead', { 'role': 'rowgroup', 'data-key': 'head' }, el('tr', { 'class': 'tr table-titles', 'role': 'row' },
			th(_('Phone')), th(_('Address')), th(_('Firmware')), th(_('Seen')), th(_('Config')), th(write ? _('Actions') : '', true)));
	},

	/** All that a line shows, so that a line is made anew only when this changes. */
	signature(state, phone) {
		const open = state.open.has(phone.mac);

		return JSON.stringify([
			phone, words.ago(phone.last_seen, state.now), words.ago(phone.config?.confirmed_at, state.now), open,
			state.results.get(phone.mac), [ ...state.busy ].filter(key => key.includes(phone.mac)), state.status == null,
			open && [ state.details.get(phone.mac), state.wishes.get(phone.mac) ]
		]);
	},

	/** What the filter looks into. */
	haystack(phone) {
		const config = words.config(phone.config);

		return [ words.phoneName(phone), phone.vendor, phone.mac, phone.mac?.replace(/:/g, ''), phone.ip, phone.hostname, phone.firmware,
			config.label, config.text ].join('\n').toLowerCase();
	},

	body(state, phone) {
		const open = state.open.has(phone.mac);
		const config = words.config(phone.config);
		const id = 'pp-story-' + phone.mac.replace(/:/g, '');
		const cell = (attrs, ...children) => el('td', Object.assign({ 'class': 'td', 'role': 'cell' }, attrs), children);

		return el('tbody', { 'data-key': phone.mac, 'role': 'rowgroup' },
			el('tr', { 'class': 'tr', 'role': 'row', 'data-key': 'line' },
				cell({ 'class': 'td pp-wide' },
					el('button', {
						'type': 'button', 'class': 'pp-open', 'data-do': 'open', 'data-mac': phone.mac, 'data-key': 'open',
						'aria-expanded': open ? 'true' : 'false', 'aria-controls': open ? id : null, 'title': _('Show what this phone did and got')
					}, el('span', { 'class': 'pp-turn', 'aria-hidden': 'true' }, '▶'), el('span', {}, words.phoneName(phone))),
					phone.hostname && el('div', { 'class': 'pp-small' }, phone.hostname),
					phone.conflict && el('div', {}, page.badge('warn', _('Conflict')))),
				cell({ 'data-label': _('Address') }, address(phone.ip), el('div', { 'class': 'pp-mono pp-small' }, phone.mac)),
				cell({ 'data-label': _('Firmware') }, phone.firmware ?? el('span', { 'class': 'pp-small' }, '–')),
				cell({ 'data-label': _('Seen') },
					el('div', { 'title': words.moment(phone.last_seen) }, phone.last_seen ? words.ago(phone.last_seen, state.now) : _('not since the start')),
					el('div', { 'class': 'pp-small' }, words.seenBy(phone.seen_by).join(', '))),
				cell({ 'data-label': _('Config') },
					page.badge(config.tone, config.label),
					config.text && el('div', { 'class': 'pp-small' }, config.text),
					phone.config?.on_flash === false && el('div', { 'class': 'pp-small' }, _('It is in memory only, not on flash.')),
					phone.config?.confirmed_at && el('div', { 'class': 'pp-small', 'title': words.moment(phone.config.confirmed_at) },
						_('Checked %s').format(words.ago(phone.config.confirmed_at, state.now)))),
				cell({ 'class': 'td pp-wide' }, state.write && el('div', { 'class': 'pp-actions' }, buttons(state, phone, config.group)))),
			outcome(state, phone),
			open && under('story', el('div', { 'class': 'pp-story', 'id': id, 'role': 'region', 'aria-label': _('Story of %s').format(phone.mac) },
				story.parts(state, phone, act))));
	}
});

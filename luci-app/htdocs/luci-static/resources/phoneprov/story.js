// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require phoneprov.page as page';
'require phoneprov.words as words';

// What one phone did and got: its data, each of its configs with the generations of it, and its events in order.

const el = page.el;

function facts(state, phone) {
	const pair = (name, value) => value != null && value !== '' && [ el('dt', {}, name), el('dd', {}, value) ];

	return el('dl', { 'class': 'pp-facts' },
		pair(_('MAC'), el('span', { 'class': 'pp-mono' }, phone.mac)),
		pair(_('Settings of'), phone.vendor),
		pair(_('Model'), phone.model),
		pair(_('Firmware'), phone.firmware),
		pair(_('Calls itself'), phone.hostname),
		pair(_('Address'), phone.ip),
		pair(_('First seen'), phone.first_seen ? words.moment(phone.first_seen) : null),
		pair(_('Last seen'), phone.last_seen ? words.moment(phone.last_seen) : _('not since the agent started')),
		pair(_('Seen by'), words.seenBy(phone.seen_by).join(', ')));
}

function conflict(state, phone) {
	return phone.conflict && page.box('warn', {}, el('p', {}, _('%s (%s). Two devices may have the same MAC or address.')
		.format(phone.conflict.text, words.ago(phone.conflict.at, state.now))));
}

// The place of each stored generation behind the newest: what `rollback` counts in.
function places(list) {
	const back = new Map();

	for (const entry of list)
		if (!entry.held)
			back.set(entry.number, back.size);
	return back;
}

function generationState(entry) {
	if (entry.held)
		return page.badge('bad', _('Held back'));
	if (entry.pinned)
		return page.badge('info', _('Pinned'));
	if (entry.current)
		return page.badge('good', _('In use'));
	return null;
}

function generations(state, phone, config) {
	const list = config.list ?? [];
	const back = places(list);
	const th = label => el('th', { 'scope': 'col' }, label);

	if (!list.length && config.generations > 0)
		return el('p', { 'class': 'pp-small' }, _('Stored generations: %d').format(config.generations));
	if (!list.length)
		return el('p', { 'class': 'pp-small' }, _('Nothing is stored.'));

	return el('div', { 'class': 'pp-scroll' }, el('table', { 'class': 'pp-generations' },
		el('thead', {}, el('tr', {}, th(_('Generation')), th(_('Stored')), th(_('Size')), th(_('Against the one before')),
			el('th', {}, el('span', { 'class': 'pp-hidden' }, _('State'))))),
		el('tbody', {}, list.map(entry => {
			const place = back.get(entry.number);
			const name = 'rollback:' + phone.mac + ':' + config.name + ':' + place;

			return el('tr', { 'data-key': String(entry.number) + (entry.held ? 'held' : '') },
				el('td', {}, entry.number == null ? '–' : String(entry.number)),
				el('td', { 'title': words.moment(entry.stored_at) }, words.ago(entry.stored_at, state.now)),
				el('td', { 'title': entry.sha256 ? 'sha256 ' + entry.sha256 : null }, words.size(entry.size)),
				el('td', {}, entry.difference ?? _('the oldest one')),
				el('td', {}, el('div', { 'class': 'pp-row' }, generationState(entry),
					state.write && place > 0 && !entry.pinned && page.button('neutral', _('Roll back to it'), {
						'data-do': 'rollback', 'data-mac': phone.mac, 'data-back': String(place), 'data-name': config.name,
						'data-number': String(entry.number), 'aria-label': _('Roll back to generation %d').format(entry.number), 'busy': state.busy.has(name)
					}))));
		}))));
}

function configPart(state, phone, config) {
	const says = words.config(config);
	const lines = [];

	if (config.served_at)
		lines.push(_('The phone last got it: %s').format(words.ago(config.served_at, state.now)));
	if (config.confirmed_at)
		lines.push(_('The provider last agreed to it: %s').format(words.ago(config.confirmed_at, state.now)));
	if (config.on_flash === false)
		lines.push(_('It is in memory only, not on flash.'));
	if (config.held)
		lines.push(_('Held back: %s').format(words.ago(config.held.since, state.now)));

	return el('section', { 'data-key': 'config ' + config.name },
		el('h4', {}, el('span', { 'class': 'pp-mono' }, config.name), ' ', page.badge(says.tone, says.label)),
		says.text && el('p', {}, says.text),
		lines.length > 0 && el('p', { 'class': 'pp-small' }, lines.join(' · ')),
		generations(state, phone, config));
}

function events(state, list) {
	return el('section', { 'data-key': 'events' },
		el('h4', {}, _('What it did and was told')),
		list.length
			? el('ol', { 'class': 'pp-events', 'tabindex': '0', 'aria-label': _('Events of this phone, oldest first') },
				list.map(event => el('li', { 'data-key': String(event.seq) },
					el('time', { 'class': 'pp-small', 'title': words.moment(event.time) }, words.clock(event.time, state.now)),
					el('span', { 'class': 'pp-small' }, words.kind(event.kind)),
					el('span', {}, event.text))))
			: el('p', { 'class': 'pp-small' }, _('Nothing since the agent started.')));
}

return baseclass.extend({
	parts(state, phone, act) {
		const detail = state.details.get(phone.mac);
		const group = words.config(phone.config).group;
		const offer = (verb, kind, label, attrs) => act(state, phone, verb, kind, label, Object.assign({ 'data-key': verb }, attrs));
		const older = (detail?.configs ?? []).some(config => config.generations > 1);

		return [
			state.write && el('div', { 'class': 'pp-row', 'data-key': 'tools', 'role': 'group', 'aria-label': _('Actions for %s').format(phone.mac) },
				group != 'door' && offer('restart', 'neutral', _('Restart'), { 'title': _('Tell the phone to restart') }),
				older && offer('rollback', 'neutral', _('Roll back'), { 'title': _('Go back to the config before this one') }),
				offer('forget', 'negative', _('Forget'), { 'title': _('Remove the phone and its stored configs') }),
				el('a', { 'href': L.url('admin/services/phoneprov/log') + '#' + phone.mac }, _('Show in the log'))),
			conflict(state, phone),
			state.wishes.get(phone.mac) && page.box('warn', { 'data-key': 'wish' }, el('p', {}, state.wishes.get(phone.mac))),
			el('div', { 'class': 'pp-two', 'data-key': 'two' }, facts(state, phone), detail && events(state, detail.events ?? [])),
			detail ? (detail.configs ?? []).map(config => configPart(state, phone, config))
				: el('p', { 'class': 'spinning', 'data-key': 'loading' }, _('Loading …'))
		];
	},

	/** What came of an action: `{ tone, title, lines }`, kept until it is dismissed. */
	result(result, key, title) {
		// only what failed interrupts a screen reader; the rest is said in the page's own region
		return page.box(result.tone, { 'data-key': 'result ' + key, 'role': result.tone == 'bad' ? 'alert' : 'group', 'aria-label': _('Result') },
			el('div', { 'class': 'pp-box-top' },
				el('div', {}, el('strong', {}, title ?? result.title),
					result.lines.length > 1 ? el('ul', {}, result.lines.map(line => el('li', {}, line)))
						: result.lines.map(line => el('p', { 'style': 'margin:0' }, line))),
				page.button('neutral', _('Dismiss'), { 'data-do': 'dismiss', 'data-result': key, 'data-key': 'dismiss' })));
	}
});

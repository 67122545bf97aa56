// SPDX-License-Identifier: MPL-2.0
'use strict';
'require view';
'require poll';
'require uci';
'require phoneprov.agent as agent';
'require phoneprov.empty as empty';
'require phoneprov.outcome as outcome';
'require phoneprov.page as page';
'require phoneprov.probe as probe';
'require phoneprov.row as row';
'require phoneprov.story as story';
'require phoneprov.summary as summary';
'require phoneprov.words as words';

// The phones, live. What is known is in `state`; each change of it ends in `draw`, which makes the page what `state` says.

const el = page.el;

const EVERY = 5;
// Looked at less often: reading them starts a program on the router.
const SELDOM = 30;

const state = {
	write: false,
	now: 0,
	asOf: 0,
	status: null,
	offline: null,
	service: { known: false, enabled: false, running: false },
	config: null,
	check: null,
	phones: [],
	details: new Map(),
	open: new Set(),
	// what is under way, as `verb:mac`
	busy: new Set(),
	// what came of actions, by MAC, or `page`
	results: new Map(),
	// why the story of a phone cannot be read
	wishes: new Map(),
	filter: '',
	group: '',
	// is the test shown?
	probe: false
};

const shown = new Map();
let parts = null;
let shownProbe = null;
let seldomAt = 0;
let looking = null;

async function lookSeldom(force) {
	if (!force && Date.now() - seldomAt < SELDOM * 1000)
		return;
	seldomAt = Date.now();

	const [ service, config ] = await Promise.all([ agent.service(), agent.config().catch(() => null) ]);

	state.service = service;
	state.config = config ?? state.config;
}

async function lookAtStories() {
	await Promise.all([ ...state.open ].map(mac => agent.phone(mac).then(phone => {
		state.details.set(mac, phone);
		state.wishes.delete(mac);
	}, error => {
		if (!error.offline)
			state.wishes.set(mac, error.message);
	})));
}

async function lookNow(force) {
	const before = state.status != null;
	const [ status, phones ] = await Promise.all([
		agent.status().catch(error => ({ failed: error })), agent.phones().catch(error => ({ failed: error }))
	]);

	if (status.failed) {
		state.status = null;
		state.offline = status.failed.message;
	}
	else {
		state.status = status;
		state.offline = null;
	}

	state.now = status.time ?? Math.floor(Date.now() / 1000);

	if (!phones.failed && Array.isArray(phones.phones)) {
		state.phones = phones.phones;
		state.asOf = state.now;
	}

	await lookSeldom(force || before != (state.status != null) || state.status == null);
	// it may say why the agent does not run
	state.check = state.status ? null : await agent.check().catch(() => null);
	await lookAtStories();
	draw();
}

// One look at a time; who asks while one is under way gets one after it.
function look(force) {
	looking = (looking ?? Promise.resolve()).then(() => lookNow(force)).catch(error => {
		console.error(error);
	});
	return looking;
}

function visible() {
	const needle = state.filter.trim().toLowerCase();

	return state.phones.filter(phone => {
		const group = words.config(phone.config).group;

		if (state.group == 'attention' ? [ 'good', 'stored' ].includes(group) && !phone.conflict : state.group && state.group != group)
			return false;
		return !needle || row.haystack(phone).includes(needle);
	});
}

function drawList(phones) {
	const table = parts.table;
	const macs = new Set(phones.map(phone => phone.mac));
	let at = table.tHead.nextSibling;

	for (const [ mac, { node } ] of shown)
		if (!macs.has(mac)) {
			if (at === node)
				at = node.nextSibling;
			node.remove();
			shown.delete(mac);
		}

	for (const phone of phones) {
		const signature = row.signature(state, phone);
		let line = shown.get(phone.mac);

		if (!line) {
			line = { node: row.body(state, phone), signature };
			shown.set(phone.mac, line);
		}
		else if (line.signature !== signature) {
			page.morph(line.node, row.body(state, phone));
			line.signature = signature;
		}

		if (line.node === at)
			at = at.nextSibling;
		else
			table.insertBefore(line.node, at);
	}
}

function groups() {
	const counts = new Map();

	for (const phone of state.phones) {
		const group = words.config(phone.config).group;
		counts.set(group, (counts.get(group) ?? 0) + 1);
	}

	return [
		[ '', _('All phones'), state.phones.length ],
		[ 'attention', _('Needs attention'), state.phones.filter(phone => phone.conflict
			|| ![ 'good', 'stored' ].includes(words.config(phone.config).group)).length ],
		[ 'good', _('Up to date'), counts.get('good') ],
		[ 'last-good', _('Last good'), counts.get('last-good') ],
		[ 'held', _('Held back'), counts.get('held') ],
		[ 'pinned', _('Pinned'), counts.get('pinned') ],
		[ 'door', _('Not admitted'), counts.get('door') ],
		[ 'none', _('None yet'), counts.get('none') ],
		[ 'stored', _('Stored'), counts.get('stored') ]
	].filter(([ name, , count ]) => count > 0 || name == '' || name == state.group);
}

function drawTools(phones) {
	const any = state.phones.length > 0;

	parts.tools.style.display = any ? '' : 'none';
	page.show(parts.select, groups().map(([ name, label, count ]) => el('option', { 'value': name }, _('%s (%d)').format(label, count ?? 0))));
	if (parts.select.value != state.group)
		parts.select.value = state.group;
	page.show(parts.count, phones.length == state.phones.length ? '' : _('%d of %d').format(phones.length, state.phones.length));
	page.show(parts.bulk, state.write && [
		page.button('neutral', _('Refresh all'), { 'data-do': 'all', 'data-verb': 'refresh', 'busy': state.busy.has('refresh:all') }),
		' ', page.button('neutral', _('Restart all'), { 'data-do': 'all', 'data-verb': 'restart', 'busy': state.busy.has('restart:all') }),
		' ', page.button('neutral', _('Test'), { 'data-do': 'probe' })
	]);
}

function draw() {
	if (!parts)
		return;

	const phones = visible();
	const lines = new Set(phones.map(phone => phone.mac));

	page.show(parts.urgent, summary.urgent(state));
	page.show(parts.cards, summary.cards(state));
	page.show(parts.boxes, summary.boxes(state));
	// also what came of actions with phones whose line is not there (any more)
	page.show(parts.result, [ ...state.results ].filter(([ key ]) => !lines.has(key)).map(([ key, result ]) =>
		story.result(result, key, key == 'page' ? result.title : _('%s: %s').format(nameOf(key), result.title))));
	drawProbe();
	drawTools(phones);
	drawList(phones);
	parts.table.style.display = phones.length ? '' : 'none';
	page.show(parts.nothing, !state.phones.length ? !summary.switchedOff(state) && empty.list(state)
		: !phones.length && el('p', {}, _('No phone matches.'), ' ',
			page.button('neutral', _('Show all'), { 'data-do': 'group', 'data-group': '', 'data-clear': '1' })));
}

function keep(key, result) {
	state.results.set(key, result);
	if (result.tone != 'bad')
		page.say(parts.root, [ result.title, ...result.lines ].filter(text => text).join(' '));
}

// Does `work` while `name` is busy, and keeps on the screen what came of it. `key` is where: a MAC, or `page`.
async function act(name, key, title, work) {
	if (state.busy.has(name))
		return false;

	let good = false;

	state.busy.add(name);
	state.results.delete(key);
	draw();
	try {
		const result = await work();

		keep(key, Object.assign({ title }, result));
		good = true;
	}
	catch (error) {
		keep(key, { tone: 'bad', title, lines: [ error.message ] });
	}
	state.busy.delete(name);
	draw();
	await look();
	return good;
}

const nameOf = mac => {
	const phone = state.phones.find(one => one.mac == mac);

	return phone ? words.phoneName(phone) + ' ' + mac : mac;
};

// Waits until the service is as it should be: rc.init says yes to everything.
async function serviceBecomes(action) {
	const up = action == 'start' || action == 'restart';
	const end = Date.now() + 20000;
	const started = state.status?.uptime;

	for (;;) {
		await agent.wait(700);

		const service = await agent.service();
		const status = await agent.status().catch(error => ({ failed: error }));
		const runs = !status.failed;

		if (action == 'enable' || action == 'disable') {
			if (service.enabled == (action == 'enable'))
				return true;
		}
		else if (up ? runs && (action == 'start' || started == null || status.uptime < started) : !runs && !service.running)
			return true;

		if (Date.now() > end)
			return false;
	}
}

async function doService(action) {
	const titles = {
		start: _('Start'), stop: _('Stop'), restart: _('Restart'), enable: _('Enable at boot'), disable: _('Disable at boot')
	};
	const said = {
		start: _('The service runs.'), stop: _('The service has stopped. Phones get nothing from this router now.'),
		restart: _('The service was restarted.'), enable: _('It will start with the router.'), disable: _('It will not start with the router.')
	};

	if (action == 'stop' && !await page.confirm(_('Stop the service?'),
		[ _('Phones get no config from this router until it is started again. Phones that are registered go on working until they restart.') ], _('Stop')))
		return;

	await act('service:' + action, 'page', titles[action], async () => {
		await agent.serviceDo(action);
		if (await serviceBecomes(action)) {
			seldomAt = 0;
			return { tone: 'good', lines: [ said[action] ] };
		}

		seldomAt = 0;
		const check = await agent.check().catch(() => null);
		const fatal = (check?.problems ?? []).filter(problem => problem.fatal).map(problem => problem.message);

		if (action == 'start' && summary.switchedOff(state))
			fatal.unshift(_('It is switched off in its settings.'));
		return {
			tone: 'bad', lines: [ _('The router took the order, but after 20 seconds nothing has changed.'), ...fatal ]
		};
	});
}

async function doAll(verb) {
	const asks = {
		restart: [ _('Restart all phones?'), [ _('Every phone that can be reached is told to restart. Calls may end.') ], _('Restart all') ],
		accept: [ _('Accept all?'), [ _('All phones get the new configs when they next ask, and for a while further changes of accounts pass without a check.'),
			_('If the provider made a mistake, phones lose their accounts.') ], _('Accept all') ],
		reject: [ _('Reject all?'), [ _('What is held back is dropped. The phones keep their last good; the provider should mend its data.') ], _('Reject all') ],
		rollback: [ _('Roll back all?'), [ _('Every phone whose account changed lately goes back to the config before, and stays there until you accept the new one.') ], _('Roll back all') ]
	};

	if (asks[verb] && !await page.confirm(...asks[verb]))
		return;

	const works = {
		refresh: [ _('Refresh all'), () => agent.refresh('all').then(outcome.refresh) ],
		restart: [ _('Restart all'), () => agent.resync('all', true).then(result => outcome.resync(result, nameOf)) ],
		accept: [ _('Accept all'), () => agent.accept('all').then(result => outcome.accept(result, nameOf)) ],
		reject: [ _('Reject all'), () => agent.reject('all').then(result => outcome.reject(result, nameOf)) ],
		rollback: [ _('Roll back all'), () => agent.rollback('all').then(result => outcome.rollback(result, nameOf)) ]
	};

	await act(verb + ':all', 'page', ...works[verb]);
}

async function forget(mac) {
	if (!await page.confirm(_('Forget this phone?'), [ nameOf(mac),
		_('Its stored configs are removed from the router. If it asks again, it is a new phone.') ], _('Forget')))
		return;
	// the line goes away with the phone, so what came of it stands above
	if (await act('forget:' + mac, 'page', nameOf(mac), () => agent.forget(mac).then(outcome.forget))) {
		state.open.delete(mac);
		state.results.delete(mac);
		state.details.delete(mac);
	}
}

async function rollback(target) {
	const { mac, back, name, number } = target.dataset;

	if (number != null && !await page.confirm(_('Roll back to generation %d?').format(number),
		[ nameOf(mac), _('The phone gets this config when it next asks, and keeps it until you accept the new one.') ], _('Roll back'), 'action'))
		return;
	await act('rollback:' + mac + (number != null ? ':' + name + ':' + back : ''), mac, _('Roll back'),
		() => agent.rollback(mac, back == null ? undefined : Number(back), name).then(result => outcome.rollback(result, () => '')));
}

// With `enrol 'list'` a phone comes in by a section of its own; with a window by the window.
async function admit(mac) {
	const phone = state.phones.find(one => one.mac == mac);

	if (state.status?.enrol?.mode != 'list') {
		if (await page.confirm(_('Open the door for 10 minutes?'), [ nameOf(mac),
			_('This phone, and every other new one that asks in this time, is let in. Restart the phone then: it asks when it starts.') ],
			_('Open the door'), 'positive'))
			await act('admit:' + mac, mac, _('Admit'), () => agent.admit(10).then(result => outcome.admit(result, state)));
		return;
	}
	if (!await page.confirm(_('Add this phone to the settings?'), [ nameOf(mac),
		_('It is written to the settings as a known phone, and is let in when it next asks.') ], _('Admit'), 'positive'))
		return;
	await act('admit:' + mac, mac, _('Admit'), async () => {
		await uci.load('phoneprov');
		if (Object.keys(await L.resolveDefault(uci.changes(), {})).length)
			throw new Error(_('There are changes of settings that are not applied yet. Apply or drop them first.'));

		const section = uci.add('phoneprov', 'phone');

		uci.set('phoneprov', section, 'mac', mac);
		if (phone?.vendor)
			uci.set('phoneprov', section, 'vendor', phone.vendor);
		await uci.save();
		await uci.apply();
		return { tone: 'good', lines: [ _('It is in the settings now. Restart the phone: it asks when it starts.') ] };
	});
}

// The card is not drawn anew: it has handlers of its own, and shows the steps by itself.
function drawProbe() {
	const vendors = state.status?.vendors ?? [];
	const wanted = state.probe ? vendors.join(' ') : null;

	if (wanted === shownProbe || (state.probe && parts.probe.querySelector('.spinning')))
		return;
	shownProbe = wanted;
	parts.probe.replaceChildren(...state.probe ? [ page.box('info', {},
		probe.card({ brands: vendors.map(name => [ name, words.vendor(name) ]), disabled: false }),
		page.button('neutral', _('Close'), { 'data-do': 'closeProbe' })) ] : []);
}

const actions = {
	open(target) {
		const mac = target.dataset.mac;

		if (state.open.delete(mac))
			return draw();
		state.open.add(mac);
		draw();
		lookAtStories().then(draw);
	},
	dismiss(target) {
		state.results.delete(target.dataset.result);
		draw();
	},
	group(target) {
		state.group = target.dataset.group;
		if (target.dataset.clear)
			state.filter = parts.filter.value = '';
		draw();
	},
	service: target => doService(target.dataset.action),
	all: target => doAll(target.dataset.verb),
	door: target => {
		const minutes = Number(target.dataset.minutes ?? parts.root.querySelector('#pp-minutes').value);

		return act('door', 'page', _('New phones'), () => agent.admit(minutes).then(result => outcome.admit(result, state)));
	},
	probe() {
		state.probe = true;
		draw();
		parts.probe.querySelector('select')?.focus();
	},
	closeProbe() {
		state.probe = false;
		draw();
	},
	refresh: ({ dataset: { mac } }) => act('refresh:' + mac, mac, _('Refresh'), () => agent.refresh(mac).then(outcome.refresh)),
	resync: ({ dataset: { mac } }) => act('resync:' + mac, mac, _('Resync'), () => agent.resync(mac).then(result => outcome.resync(result))),
	restart: ({ dataset: { mac } }) => act('restart:' + mac, mac, _('Restart'), () => agent.resync(mac, true).then(result => outcome.resync(result))),
	accept: ({ dataset: { mac } }) => act('accept:' + mac, mac, _('Accept'), () => agent.accept(mac).then(result => outcome.accept(result, () => ''))),
	reject: ({ dataset: { mac } }) => act('reject:' + mac, mac, _('Reject'), () => agent.reject(mac).then(result => outcome.reject(result, nameOf))),
	forget: ({ dataset: { mac } }) => forget(mac),
	admit: ({ dataset: { mac } }) => admit(mac),
	rollback
};

return view.extend({
	handleSave: null,
	handleSaveApply: null,
	handleReset: null,

	load() {
		state.write = agent.mayWrite();
		return look(true);
	},

	render() {
		const div = name => el('div', { 'data-part': name });

		parts = {
			urgent: div('urgent'),
			cards: div('cards'),
			boxes: div('boxes'),
			result: div('result'),
			probe: div('probe'),
			filter: el('input', {
				'type': 'search', 'class': 'cbi-input-text', 'placeholder': _('Model, MAC, address …'), 'aria-label': _('Search phones'),
				'autocomplete': 'off', 'spellcheck': 'false'
			}),
			select: el('select', { 'class': 'cbi-input-select', 'style': 'width:auto', 'aria-label': _('Show') }),
			count: el('span', { 'class': 'pp-small', 'role': 'status' }),
			bulk: el('span', { 'class': 'pp-row' }),
			nothing: div('nothing'),
			table: el('table', { 'class': 'table pp-list', 'role': 'table', 'aria-label': _('Phones') }, row.head(state.write))
		};
		parts.tools = el('div', { 'class': 'pp-tools' }, parts.filter, parts.select, parts.count, el('span', { 'class': 'pp-spring' }), parts.bulk);
		parts.filter.addEventListener('input', () => {
			state.filter = parts.filter.value;
			draw();
		});
		parts.select.addEventListener('change', () => {
			state.group = parts.select.value;
			draw();
		});
		parts.root = page.root(el('h2', {}, _('Phones')), parts.urgent, parts.cards, parts.boxes, parts.result, parts.probe,
			el('section', { 'class': 'cbi-section', 'aria-label': _('List of phones') }, parts.tools, parts.nothing, parts.table));
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

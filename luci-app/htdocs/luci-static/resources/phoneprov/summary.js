// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require phoneprov.page as page';
'require phoneprov.words as words';

// What stands above the list of phones: service, provider, network, and what needs a person. Each function makes elements
// of `state` (view/phoneprov/phones.js says what it holds).

const el = page.el;

const settingsLink = label => el('a', { 'href': L.url('admin/services/phoneprov/settings') }, label ?? _('Open Settings'));

function card(title, ...children) {
	return el('section', { 'class': 'pp-card', 'aria-label': title }, el('h3', {}, title), children);
}

const small = (...children) => el('div', { 'class': 'pp-small' }, children);

function option(state, type, name) {
	return state.config?.sections?.find(section => section.type == type)?.options?.[name];
}

const switchedOff = state => state.config != null && [ undefined, '0', 'off', 'no', 'false', 'disabled' ].includes(option(state, 'agent', 'enabled'));
// An agent that runs needs none: each of its brands has a URL of its own.
const noProvider = state => !state.status && state.config != null && !option(state, 'agent', 'upstream');

function serviceState(state) {
	if (state.status)
		return [ 'good', _('Running'), _('Version %s, up for %s').format(state.status.version, words.duration(state.status.uptime)) ];
	if (state.service.running)
		return [ 'warn', _('Does not answer'), _('The service runs, but gives no answer (yet).') ];
	if (switchedOff(state))
		return [ 'off', _('Switched off'), _('It is switched off in its settings.') ];
	return [ 'bad', _('Stopped'), _('Phones get nothing from this router now.') ];
}

function serviceCard(state) {
	const [ tone, label, text ] = serviceState(state);
	const up = state.status != null || state.service.running;
	const off = !up && switchedOff(state);
	const press = (kind, name, word) => page.button(kind, word, {
		'data-do': 'service', 'data-action': name, 'busy': state.busy.has('service:' + name)
	});

	return card(_('Service'), el('div', {}, page.badge(tone, label)), small(text),
		!off && state.service.known && small(state.service.enabled ? _('It starts with the router.') : _('It does not start with the router.')),
		off && el('div', {}, settingsLink()),
		state.write && !off && el('div', { 'class': 'pp-row' },
			up ? [ press('neutral', 'restart', _('Restart')), press('negative', 'stop', _('Stop')) ] : press('positive', 'start', _('Start')),
			state.service.known && (state.service.enabled ? press('neutral', 'disable', _('Disable at boot'))
				: press('neutral', 'enable', _('Enable at boot')))));
}

function upstreamLines(upstream, now) {
	const lines = [];

	const badge = { up: [ 'good', _('Reachable') ], down: [ 'bad', _('Down') ] }[upstream.state] ?? [ 'off', _('Not asked yet') ];

	lines.push(el('div', {}, page.badge(...badge)));
	lines.push(upstream.url && el('div', { 'class': 'pp-mono' }, upstream.url));
	if (upstream.last_ok)
		lines.push(small(_('Last good answer: %s').format(words.ago(upstream.last_ok, now))));
	if (upstream.state == 'down' && upstream.last_error)
		lines.push(small(_('Since %s: %s').format(words.ago(upstream.last_error_at, now), upstream.last_error)));
	return lines;
}

function providerCard(state) {
	if (noProvider(state))
		return card(_('Provider'), el('div', {}, page.badge('warn', _('Not set'))),
			small(_('The address of the provider is not set, so there is nowhere to fetch configs from.')), el('div', {}, settingsLink()));
	if (!state.status)
		return card(_('Provider'), el('div', {}, page.badge('off', _('Unknown'))), small(_('Known while the service runs.')));

	const asked = state.status.upstreams?.length ? state.status.upstreams : [ state.status.upstream ?? {} ];

	return card(_('Provider'), asked.map(upstream => upstreamLines(upstream, state.now)),
		state.status.phones?.last_good > 0 && asked.some(upstream => upstream.state == 'down')
			&& small(_('Phones get their last good configs from this router.')));
}

function phonesCard(state) {
	if (!state.status)
		return card(_('Phones'), el('div', {}, page.badge('off', _('Unknown'))),
			state.asOf > 0 && small(_('The list below is of %s.').format(words.clock(state.asOf, state.now))));

	const counts = state.status.phones ?? {};
	const line = (word, n) => small(word.format(n ?? 0));

	return card(_('Phones'), el('div', {}, el('strong', {}, _('Known: %d').format(counts.known ?? 0))),
		line(_('With a stored config: %d'), counts.served),
		line(_('On their last good: %d'), counts.last_good),
		line(_('Held back: %d'), counts.held));
}

function networkCard(state) {
	if (!state.status)
		return card(_('Network'), el('div', {}, page.badge('off', _('Unknown'))));

	const status = state.status;
	const devices = status.devices ?? [];
	const live = devices.some(device => device.addresses?.length);
	const dhcp = status.dhcp ?? {};
	const modes = { dnsmasq: _('DHCP by dnsmasq'), responder: _('DHCP responder'), off: _('DHCP off') };

	return card(_('Network'),
		el('div', {}, live ? page.badge('good', _('Serving')) : page.badge('bad', _('No network'))),
		devices.map(device => el('div', {}, device.addresses?.length ? device.name + ': ' + device.addresses.join(', ')
			: _('%s: down, or without an address').format(device.name))),
		small([ status.pnp?.enabled ? _('PnP on') : _('PnP off'),
			dhcp.state == 'trouble' ? _('%s, with trouble').format(modes[dhcp.mode] ?? dhcp.mode) : modes[dhcp.mode] ?? dhcp.mode,
			_('HTTP port %d').format(status.port) ].join(' · ')),
		status.cache && small(_('Stored: %s of %s').format(words.size(status.cache.bytes), words.size(status.cache.max))));
}

function offline(state) {
	if (state.status || (switchedOff(state) && !state.service.running))
		return null;

	const fatal = (state.check?.problems ?? []).filter(problem => problem.fatal);

	return page.box(state.service.running ? 'warn' : 'bad', { 'data-key': 'offline' },
		el('h4', {}, state.service.running ? _('The agent gives no answer') : _('The agent does not run')),
		state.offline && el('p', {}, state.offline),
		fatal.length > 0 && [
			el('p', {}, _('With these settings it cannot start:')),
			el('ul', {}, fatal.map(problem => el('li', {}, problem.line ? _('Line %d: %s').format(problem.line, problem.message) : problem.message))),
			el('p', {}, settingsLink())
		]);
}

function firstSteps(state) {
	const off = switchedOff(state);

	if (!off && !noProvider(state))
		return null;
	return page.box('info', { 'data-key': 'first' },
		el('h4', {}, _('First steps')),
		el('ol', {},
			el('li', {}, _('Settings: enter the address of the provider and the password for it.')),
			el('li', {}, _('Settings: switch the agent on, and save.')),
			el('li', {}, _('Plug in a phone, or restart one that is plugged in. It appears here.'))),
		el('p', {}, settingsLink()));
}

function guardBox(state) {
	const guard = state.status?.guard;

	if (!guard)
		return null;
	if (guard.state == 'open')
		return page.box('info', { 'data-key': 'guard' }, el('h4', {}, _('The guard is open')),
			el('p', {}, _('Changes of accounts reach the phones without a check, for %s more.').format(words.duration(guard.open_for ?? 0))));

	const holding = guard.state == 'holding';

	if (!holding && !guard.held)
		return guard.rejected ? page.box('info', { 'data-key': 'guard' },
			el('p', {}, _('Rejected, and still so at the provider. Phones: %d. They keep their last good.').format(guard.rejected))) : null;

	const choice = (kind, name, word, text) => el('div', { 'class': 'pp-row' },
		page.button(kind, word, { 'data-do': 'all', 'data-verb': name, 'busy': state.busy.has(name + ':all') }), el('span', { 'style': 'flex:1 1 20em' }, text));

	return page.box(holding ? 'bad' : 'warn', { 'data-key': 'guard', 'role': 'region', 'aria-label': _('Guard') },
		el('h4', {}, holding ? _('The guard holds changes back') : _('Configs wait for you')),
		holding && el('p', {}, _('The provider changed the accounts of more phones than may change in a short time (limit: %d). That may be a mistake there.')
			.format(guard.limit)),
		el('p', {}, _('Phones whose new config waits: %d. They keep working with their last good.').format(guard.held)),
		guard.since && el('p', { 'class': 'pp-small' }, _('Since %s').format(words.moment(guard.since))),
		state.write && [
			choice('positive', 'accept', _('Accept all'), _('The change is right: phones get the new configs, and more such changes pass for a while.')),
			choice('negative', 'reject', _('Reject all'), _('The change is wrong: phones keep their last good, and what waits is dropped.')),
			holding && choice('negative', 'rollback', _('Roll back all'),
				_('Also phones that got a changed account before the guard held go back to the config before.'))
		],
		page.button('neutral', _('Show these phones'), { 'data-do': 'group', 'data-group': 'held' }));
}

function doorBox(state) {
	const enrol = state.status?.enrol;

	if (!enrol || enrol.mode == 'open')
		return null;

	const open = enrol.open_until && enrol.open_until > state.now;
	const waiting = enrol.refused ?? 0;
	const children = [];

	if (enrol.mode == 'window')
		children.push(el('p', {}, open
			? _('New phones are let in until %s. Let in so far: %d').format(words.clock(enrol.open_until, state.now), enrol.admitted ?? 0)
			: _('New phones are not let in. Open the door while you plug them in.')));
	else
		children.push(el('p', {}, _('Only phones that are listed in the settings are let in.')));
	children.push(el('p', {}, _('Phones at the door: %d').format(waiting)));

	return page.box(waiting && !open ? 'warn' : 'info', { 'data-key': 'door', 'role': 'region', 'aria-label': _('New phones') },
		el('h4', {}, _('New phones')), children,
		el('div', { 'class': 'pp-row' },
			state.write && enrol.mode == 'window' && [
				el('label', { 'for': 'pp-minutes' }, _('Open for')),
				el('select', { 'id': 'pp-minutes', 'class': 'cbi-input-select', 'style': 'width:auto' },
					[ 10, 30, 60, 240 ].map(n => el('option', { 'value': String(n), 'selected': n == 30 ? '' : null }, _('%d min').format(n)))),
				page.button('positive', open ? _('Extend') : _('Open the door'), { 'data-do': 'door', 'busy': state.busy.has('door') }),
				open && page.button('negative', _('Close the door'), { 'data-do': 'door', 'data-minutes': '0', 'busy': state.busy.has('door') })
			],
			waiting > 0 && page.button('neutral', _('Show phones at the door'), { 'data-do': 'group', 'data-group': 'door' })));
}

function troubles(state) {
	const status = state.status;

	if (!status)
		return [];

	const list = [];
	const add = (tone, text) => list.push([ tone, text ]);

	for (const text of status.troubles ?? [])
		add('bad', text);
	for (const text of status.dhcp?.troubles ?? [])
		add('warn', text);
	if (status.cache?.trouble)
		add('bad', _('A config could not be stored: %s').format(status.cache.trouble));
	if (status.clock && status.clock != 'set')
		add('warn', _('The clock of the router is not set yet, so times shown here are not right, and certificates may be refused.'));
	if (status.panics > 0)
		add('warn', _('The agent caught mistakes of its own (%d). It goes on; please report them with the system log.').format(status.panics));

	return list.map(([ tone, text ], i) => page.box(tone, { 'data-key': 'trouble' + i }, el('p', {}, text)));
}

// What a running agent needs.
function served(status) {
	const devices = (status.devices ?? []).filter(device => device.addresses?.length);
	const ways = [ status.pnp?.enabled && _('PnP'), status.dhcp?.mode != 'off' && _('DHCP') ].filter(way => way);

	return [
		{
			ok: devices.length > 0, text: devices.length
				? _('It serves phones on: %s').format(devices.map(device => device.name + ' (' + device.addresses.join(', ') + ')').join(', '))
				: _('It serves no network with an address: choose one in Settings.')
		},
		{ ok: ways.length > 0, text: ways.length ? _('Phones are told by: %s').format(ways.join(', ')) : _('Phones are told by nothing: PnP and DHCP are off in Settings.') },
		{
			ok: status.vendors?.length > 0, text: status.vendors?.length
				? _('These brands are served: %s. Others are switched on in Settings.').format(status.vendors.map(words.vendor).join(', '))
				: _('No brand is switched on: choose some in Settings.')
		},
		{ ok: null, text: _('The phone is in that network, and was restarted: phones ask only when they start.') },
		{ ok: null, text: _('The phone has its factory settings: one that is set to another server does not ask.') }
	];
}

return baseclass.extend({
	cards(state) {
		return el('div', { 'class': 'pp-cards' }, serviceCard(state), providerCard(state), phonesCard(state), networkCard(state));
	},

	/** What does not work, or waits for a decision. */
	urgent(state) {
		return [ offline(state), firstSteps(state), guardBox(state), troubles(state) ];
	},

	boxes(state) {
		return [
			!state.write && page.box('info', { 'data-key': 'readonly' }, el('p', {}, _('Your login may look at this page, but not change anything.'))),
			doorBox(state)
		];
	},

	/** What is missing before a phone can show up: `[{ ok, text }]`. */
	checklist(state) {
		const status = state.status;

		return [
			{ ok: status != null, text: status ? _('The service runs.') : _('The service does not run: start it above.') },
			{ ok: !noProvider(state), text: noProvider(state) ? _('The provider is not set: enter it in Settings.') : _('The provider is set.') },
			...status ? served(status) : []
		];
	},

	switchedOff,
	noProvider
});

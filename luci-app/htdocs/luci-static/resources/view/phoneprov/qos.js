// SPDX-License-Identifier: MPL-2.0
'use strict';
'require view';
'require form';
'require poll';
'require ui';
'require phoneprov.agent as agent';
'require phoneprov.checked as checked';
'require phoneprov.fields as fields';
'require phoneprov.source as source';

const PERIOD = 10;

const words = {
	priority: _('priority'),
	normal: _('normal'),
	all: _('all'),
	udp: 'UDP'
};

// In the agent's order, and said anew here where it can be translated.
const means = {
	sqm: _('The firewall marks calls (DSCP EF), and CAKE on your line sends what is marked first. Downwards the marks come too late; there CAKE keeps thin streams, as calls are, ahead of thick ones.'),
	qosify: _('All that goes to or comes from the media servers is voice for CAKE on your line, in both directions. Single addresses only.'),
	'qos-scripts': _('Calls are in the class Priority, everything else in Normal (HFSC), in both directions. The older way: it needs iptables, and has IPv4 only.'),
	fw4: _('The firewall marks calls (DSCP EF), and nothing more. The queue of your own line gets no shorter by that; WiFi, switches and the provider may go by the marks.')
};

// The three rules before any media server is known.
const pattern = [
	{ number: 1, target: 'priority', source: 'all', destination: _('media server'), proto: 'udp' },
	{ number: 2, target: 'priority', source: _('media server'), destination: 'all', proto: 'udp' },
	{ number: 3, target: 'normal', source: 'all', destination: 'all', proto: 'all' }
];

const word = text => words[text] ?? text;

// Where a suggestion comes from, as the agent says it: "registrar of 2 phones, proxy of 1 phone".
function origin(text) {
	return String(text ?? '').split(', ').map(part => {
		const [ , what, count ] = /^(registrar|proxy) of (\d+) phones?$/.exec(part) ?? [];

		if (what == 'registrar')
			return N_(+count, 'registrar of %d phone', 'registrar of %d phones').format(count);
		if (what == 'proxy')
			return N_(+count, 'proxy of %d phone', 'proxy of %d phones').format(count);
		return part;
	}).join(', ');
}

function table(titles, rows, label) {
	return E('table', { 'class': 'table', 'aria-label': label }, [
		E('tr', { 'class': 'tr table-titles' }, titles.map(title => E('th', { 'class': 'th' }, [ title ]))),
		...rows.map(cells => E('tr', { 'class': 'tr' }, cells.map((cell, i) =>
			E('td', { 'class': 'td', 'data-title': titles[i], 'style': 'overflow-wrap:anywhere' }, [ cell ]))))
	]);
}

function card(title, text, ...nodes) {
	return E('div', { 'class': 'cbi-section' }, [
		E('h3', {}, [ title ]),
		text ? E('div', { 'class': 'cbi-section-descr' }, [ text ]) : '',
		...nodes
	]);
}

return view.extend({
	// what is refused is on the screen by then, and nothing is applied
	handleSave() {
		return this.map.save().catch(() => {});
	},

	handleSaveApply(ev, mode) {
		return this.map.save().then(() => ui.changes.apply(mode == '0'), () => {});
	},

	load() {
		return Promise.all([ source.open(), this.ask() ]);
	},

	ask() {
		return agent.qos().catch(error => ({ error }));
	},

	render([ stored, qos ]) {
		this.readonly = stored.readonly;
		this.map = stored.map(_('QoS'));
		this.map.description = _('Calls go before everything else on your internet line, so that downloads do not break them up.');
		this.name = stored.single(this.map, 'qos', 'qos');
		this.said = E('div');
		this.live = E('div');
		this.suggested = E('div');
		this.addFields(stored.table);

		if (this.readonly)
			this.handleSave = this.handleSaveApply = this.handleReset = null;
		else
			checked.guard(this.map, (problems, refused) => this.report(problems, refused));

		return this.map.render().then(node => {
			node.addEventListener('widget-change', () => this.showSuggestions());
			this.report(stored.problems.filter(problem => problem.type == 'qos' || /^qos: /.test(problem.message)), false, true);
			this.show(qos);
			poll.add(() => this.ask().then(answer => this.show(answer)), PERIOD);

			return E([], [ stored.head(), this.said, node, this.live ]);
		});
	},

	addFields(all) {
		const s = this.map.section(form.NamedSection, this.name, 'qos');
		const add = (name, more) => fields.add(s, null, all, 'qos', name, more);

		s.addremove = false;
		add('enabled');
		this.servers = add('mediaserver', { placeholder: 'media.example.net' });

		const o = s.option(form.DummyValue, '_suggested', _('Suggestions'), _('Servers that the stored configs of your phones name. The media server is often the same as the proxy.'));

		o.renderWidget = () => this.suggested;
		add('upload', { placeholder: '0' });
		add('download', { placeholder: '0' });
		add('backend', { wide: true });

		for (const option of all.all('qos'))
			if (!fields.isKnown('qos', option.name))
				add(option.name);
	},

	show(qos) {
		this.suggestions = qos.suggestions ?? [];
		this.showSuggestions();

		if (qos.error) {
			this.live.replaceChildren(E('div', { 'class': 'alert-message error', 'role': 'alert' }, [ qos.error.message ]));
			return;
		}

		this.live.replaceChildren(this.state(qos), this.rules(qos), this.backends(qos));
	},

	showSuggestions() {
		const chosen = L.toArray(this.servers.formvalue(this.name) ?? this.servers.cfgvalue(this.name));
		const rows = (this.suggestions ?? []).map(({ host, address, from }) => {
			const value = host || address;
			const there = chosen.includes(value);

			return E('li', { 'style': 'color:inherit;margin-bottom:.25em' }, [
				E('button', {
					'class': 'btn cbi-button cbi-button-add',
					'aria-label': _('Add %s').format(value),
					'disabled': there || this.readonly ? '' : null,
					'click': ui.createHandlerFn(this, 'take', value)
				}, [ there ? '✔' : '+' ]), ' ',
				E('strong', {}, [ value ]),
				address && address != value ? ` (${address})` : '', ' ',
				from ? `– ${origin(from)}` : ''
			]);
		});

		this.suggested.replaceChildren(rows.length
			? E('ul', { 'style': 'list-style:none;margin:0;padding:0', 'aria-label': _('Suggestions') }, rows)
			: E('em', {}, [ _('None yet: no stored config names a server.') ]));
	},

	take(value) {
		const element = this.servers.getUIElement(this.name);

		element.setValue(L.toArray(element.getValue()).concat(value));
		element.node.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }));
	},

	state({ enabled, state, notes, backend }) {
		const servers = state?.servers ?? [];
		const [ style, text ] = !enabled
			? this.map.data.get(this.map.config, this.name, 'enabled') == '1'
				? [ 'warning', _('Nothing is written: the agent itself is switched off under Settings.') ]
				: [ 'notice', _('Switched off: nothing of this is in the router\'s traffic control.') ]
			: state?.trouble
				? [ 'error', _('The rules do not work as they should.') ]
				: state?.applied
					? [ 'success', _('The rules are in place.') ]
					: [ 'warning', _('The rules are not in place yet.') ];

		return card(_('State'), null,
			E('div', { 'class': `alert-message ${style}`, 'role': 'status' }, E('div', {}, [
				E('p', {}, [ E('strong', {}, [ text ]) ]),
				state?.trouble ? E('p', {}, [ state.trouble ]) : '',
				enabled && !backend?.chosen ? E('p', {}, [ backend?.why ?? '' ]) : '',
				...(notes ?? []).map(note => E('p', {}, [ note ]))
			])),
			servers.length ? table([ _('Media server'), _('Addresses') ], servers.map(server => [
				server.host,
				server.error
					? E('span', { 'style': 'color:#c00' }, [ server.error ])
					: (server.addresses ?? []).join(', ') || '–'
			]), _('Media servers')) : '');
	},

	rules({ rules }) {
		const known = rules?.length > 0;

		return card(_('Rules'), known
			? _('As they are made of what is saved and applied. The first that fits counts.')
			: _('As they will be when there is a media server. The first that fits counts.'),
		table([ _('No.'), _('Target'), _('Source'), _('Destination'), _('Protocol') ],
			(known ? rules : pattern).map(rule => [
				String(rule.number), word(rule.target), word(rule.source), word(rule.destination), word(rule.proto)
			]), _('Rules')));
	},

	backends({ backends, backend }) {
		const mark = offer => offer.name == backend?.chosen
			? _('in use here') : offer.available ? _('there') : _('not there');

		return card(_('Back ends'), backend?.chosen
			? _('This router: %s – %s.').format(backend.chosen, backend.why)
			: _('This router has none: %s.').format(backend?.why ?? ''),
		table([ _('Name'), _('State'), _('What it means for calls') ], (backends ?? []).map(offer => [
			E('strong', {}, [ offer.name ]),
			E('span', { 'title': offer.why }, [ mark(offer) ]),
			means[offer.name] ?? offer.means
		]), _('Back ends')));
	},

	report(problems, refused, quiet) {
		this.said.replaceChildren(checked.problems(problems, refused));
		if (refused && !quiet)
			this.said.scrollIntoView({ block: 'center' });
	}
});

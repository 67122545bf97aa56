// SPDX-License-Identifier: MPL-2.0
'use strict';
'require view';
'require form';
'require uci';
'require ui';
'require phoneprov.agent as agent';
'require phoneprov.checked as checked';
'require phoneprov.fields as fields';
'require phoneprov.probe as probe';
'require phoneprov.source as source';

// What a phone as an example says of itself, beside its MAC address.
const EXAMPLE = { model: 'D785', version: '10.1.169.16', ip: '192.168.1.50' };

const TABS = {
	discovery: [ 'pnp', 'dhcp', 'port', 'rewrite' ],
	cache: [ 'upstream_timeout', 'fresh_wait', 'fresh_for', 'grace', 'history', 'cache_max', 'shared_max' ],
	guard: [ 'guard_share', 'guard_min', 'guard_window' ],
	safety: [ 'enrol', 'verify_mac' ],
	advanced: [ 'device', 'redirect_origin', 'ca_file', 'dnsmasq_conf', 'state_dir', 'run_dir' ]
};

// In a narrow window the table is moved, not the page.
function scrolling(section) {
	const render = section.render;

	section.render = function(...args) {
		return Promise.resolve(render.apply(this, args)).then(node => {
			node.style.overflowX = 'auto';
			return node;
		});
	};

	return section;
}

function prefixes(patterns) {
	const short = L.toArray(patterns).map(pattern => pattern.replace(/(:\*)+$/, ''));

	if (short.length <= 3)
		return short.join(', ');
	return _('%s and %d more').format(short.slice(0, 2).join(', '), short.length - 2);
}

// A MAC address of the brand.
function exampleMac(patterns) {
	const bytes = (L.toArray(patterns)[0] ?? '00:04:13').split(':').filter(byte => /^[0-9a-f]{2}$/i.test(byte));

	return bytes.concat([ 'aa', 'bb', 'cc', 'dd', 'ee', 'ff' ]).slice(0, 6).join(':').toLowerCase();
}

function filled(template, mac, upstream, section_id) {
	const values = Object.assign({}, EXAMPLE, {
		mac: mac.replace(/:/g, ''),
		MAC: mac.replace(/:/g, '').toUpperCase(),
		'mac:': mac,
		'mac-': mac.replace(/:/g, '-'),
		upstream: (upstream || 'https://…').replace(/\/+$/, ''),
		provpass: '***',
		vendor: section_id
	});

	return template.replace(/\{([^{}]*)\}/g, (whole, name) => values[name] ?? whole);
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
		return Promise.all([
			source.open('network'),
			L.resolveDefault(agent.service(), { known: false }),
			L.resolveDefault(agent.status(), {})
		]);
	},

	render([ stored, service, status ]) {
		this.readonly = stored.readonly;
		this.table = stored.table;
		this.service = service;
		this.known = status.phones?.known;
		this.devices = (status.devices ?? []).map(device => device.name);
		this.map = stored.map(_('Settings'));
		this.main = stored.single(this.map, 'agent', 'main');
		this.said = E('div');

		this.addAgent();
		this.addVendors();
		this.addPhones();

		if (this.readonly)
			this.handleSave = this.handleSaveApply = this.handleReset = null;
		else
			checked.guard(this.map, (problems, refused) => this.report(problems, refused));

		return this.map.render().then(node => {
			this.start = E('div');
			node.addEventListener('widget-change', () => this.update());
			node.addEventListener('widget-update', () => this.update());

			const page = E([], [
				stored.head(),
				this.start,
				this.said,
				node,
				probe.card({ brands: this.brands(), devices: this.devices, disabled: this.readonly })
			]);

			this.report(stored.problems, false, true);
			this.update();
			return page;
		});
	},

	brands() {
		return this.map.data.sections(this.map.config, 'vendor')
			.filter(section => [ '1', 'yes', 'on', 'true', 'enabled' ].includes(section.enabled))
			.map(section => [ section['.name'], this.table.label(section['.name']) ]);
	},

	addAgent() {
		const s = this.map.section(form.NamedSection, this.main, 'agent');
		const add = (tab, name, more) => fields.add(s, tab, this.table, 'agent', name, more);

		s.addremove = false;
		s.tab('general', _('General'));
		s.tab('discovery', _('Discovery'));
		s.tab('cache', _('Stored configs'), _('What the agent stores keeps phones working while the provider is down, refuses them, or sends nonsense.'));
		s.tab('safety', _('Safety'), _('A mistake in the provider\'s database must not take out all phones at once.'));
		s.tab('advanced', _('Advanced'));

		add('general', 'enabled');
		add('general', 'upstream', { placeholder: 'https://prov.example.net' });
		if (this.readonly)
			this.addPasswordState(s);
		else
			add('general', 'provpass');
		this.addNetworks(add);

		for (const name of TABS.discovery)
			add('discovery', name);
		for (const name of TABS.cache)
			add('cache', name);
		for (const name of TABS.guard)
			add('safety', name);
		this.addGuardInWords(s);
		for (const name of TABS.safety)
			add('safety', name);
		for (const name of TABS.advanced)
			add('advanced', name);

		// of a newer agent
		for (const option of this.table.all('agent'))
			if (!fields.isKnown('agent', option.name))
				add('advanced', option.name);
	},

	addPasswordState(s) {
		const o = s.taboption('general', form.DummyValue, '_provpass', fields.title('agent', 'provpass'));

		o.textvalue = section_id => this.map.data.get(this.map.config, section_id, '_provpass') ? _('is set') : _('is not set');
		o.cfgvalue = o.textvalue;
	},

	addNetworks(add) {
		const o = add('general', 'network', { widget: form.MultiValue, placeholder: _('-- Please choose --') });
		const seen = {};
		const value = (name, text) => {
			if (!seen[name])
				o.value(name, text);
			seen[name] = true;
		};

		if (!this.readonly)
			for (const section of uci.sections('network', 'interface'))
				if (section['.name'] != 'loopback')
					value(section['.name'], section.device ? `${section['.name']} (${L.toArray(section.device).join(' ')})` : section['.name']);
		for (const name of L.toArray(this.map.data.get(this.map.config, this.main, 'network')))
			value(name, name);
		o.create = true;
	},

	addGuardInWords(s) {
		const o = s.taboption('safety', form.DummyValue, '_guard', _('In words'));
		const words = E('span');

		o.renderWidget = () => words;
		this.guardWords = words;
	},

	// What the fields of the guard come to in an office like this one.
	updateGuard() {
		const value = name => {
			const said = this.value(name);
			const number = said === '' || said == null ? this.table.find('agent', name).default : said;

			return /^[0-9]{1,6}$/.test(String(number)) ? Number(number) : NaN;
		};
		const known = this.known > 0 ? this.known : 20;
		const [ share, min, minutes ] = [ value('guard_share'), value('guard_min'), value('guard_window') ];
		const may = Math.max(Math.floor(known * share / 100), min);
		let text = '';

		if (isNaN(may) || isNaN(minutes))
			text = '';
		else if (may >= known)
			text = _('With %d phones, the guard never holds anything: all of them may change.').format(known);
		else
			text = _('With %d phones: when %d of them have got another account, or lost theirs, within %d minutes, each further config that does so is held. The phone keeps its last good one until you accept or reject the new one under Phones.').format(known, may, minutes);

		this.guardWords.textContent = text;
	},

	addVendors() {
		const s = scrolling(this.map.section(form.GridSection, 'vendor', _('Brands'),
			_('Phones of these brands are served, when they are switched on here. What an address has in braces is filled in for each phone; the dialog of a brand shows how.')));
		const table = this.table;
		const add = (name, more) => fields.add(s, null, table, 'vendor', name, more);
		const brand = section_id => table.brands.get(section_id);

		s.addremove = !this.readonly;
		s.nodescriptions = true;
		s.addbtntitle = _('Add a brand');
		s.sectiontitle = section_id => table.label(section_id);
		s.modaltitle = section_id => _('Brand: %s').format(table.label(section_id));

		add('enabled', { editable: true, nameFor: section_id => table.label(section_id) });

		const oui = add('oui');
		oui.textvalue = function(section_id) {
			const own = prefixes(this.cfgvalue(section_id));
			const text = own || prefixes(brand(section_id)?.oui);

			return E('span', { 'style': 'white-space:normal' }, [ text || '–' ]);
		};

		const url = add('url', { wide: true });
		url.textvalue = function(section_id) {
			return E('code', { 'style': 'overflow-wrap:anywhere;white-space:normal' }, [ this.cfgvalue(section_id) || brand(section_id)?.url || '–' ]);
		};

		for (const option of table.all('vendor'))
			if (!fields.isKnown('vendor', option.name))
				add(option.name, { modalonly: true });

		s.addModalOptions = (modal, section_id) => this.dressBrand(modal, section_id, brand(section_id));
	},

	// What only the dialog of one brand has: the placeholders, an example, what is special about the brand.
	dressBrand(modal, section_id, brand) {
		const url = modal.getOption('url');
		const oui = modal.getOption('oui');
		url.placeholder = brand?.url;
		if (brand?.oui?.length)
			oui.placeholder = brand.oui[0];
		if (brand?.note)
			oui.description += ` <strong>${'%h'.format(_('Other devices have these prefixes, too: a phone is served when it also names its brand.'))}</strong>`;

		const example = E('output', { 'style': 'overflow-wrap:anywhere', 'aria-label': _('Example') });
		const o = modal.option(form.DummyValue, '_example', _('Example'), _('A phone, and what becomes of the address for it.'));
		const update = () => {
			const text = (modal.map.root && url.formvalue(section_id)) || url.cfgvalue(section_id) || brand?.url || '';

			const mac = exampleMac(oui.cfgvalue(section_id) ?? brand?.oui);

			example.textContent = text ? `${mac} → ${filled(text, mac, this.value('upstream'), section_id)}` : '–';
		};

		o.renderWidget = () => {
			// the other fields come first, and this one is not looked at by LuCI
			window.setTimeout(() => {
				update();
				for (const event of [ 'input', 'keyup', 'change' ])
					modal.map.root?.addEventListener(event, update);
			}, 0);
			return example;
		};

		modal.option(form.DummyValue, '_placeholders', _('Placeholders')).renderWidget = () => E('table', { 'class': 'table' },
			this.table.placeholders.map(entry => E('tr', { 'class': 'tr' }, [
				E('td', { 'class': 'td' }, [ E('code', {}, [ `{${entry.name}}` ]) ]),
				E('td', { 'class': 'td' }, [ fields.placeholder(entry) ])
			])));

		if (this.readonly)
			return;

		const said = E('div');

		checked.guard(modal.map, (problems, refused) => {
			modal.map.root?.parentNode?.insertBefore(said, modal.map.root);
			said.replaceChildren(checked.problems(refused ? problems : [], refused));
			if (!refused)
				this.report(problems, false);
		}, true);
	},

	addPhones() {
		const s = scrolling(this.map.section(form.TableSection, 'phone', _('Known phones'),
			_('Only needed for phones that are known beforehand (with new phones set to list), or that belong to another brand than their MAC address says.')));
		const add = (name, more) => fields.add(s, null, this.table, 'phone', name, more);

		// they have no names of their own
		const nameFor = section_id => _('known phone %d').format(s.cfgsections().indexOf(section_id) + 1);

		s.anonymous = true;
		s.nodescriptions = true;
		s.addremove = !this.readonly;
		s.addbtntitle = _('Add a phone');

		add('mac', { placeholder: '00:04:13:aa:bb:cc', rmempty: false, nameFor });

		const vendor = add('vendor', { widget: form.ListValue, nameFor });
		const own = this.map.data.sections(this.map.config, 'vendor').map(section => section['.name']);

		vendor.keylist = [];
		vendor.vallist = [];
		vendor.value('', _('as its MAC address says'));
		for (const name of own)
			vendor.value(name, this.table.label(name));
		vendor.optional = true;

		for (const option of this.table.all('phone'))
			if (!fields.isKnown('phone', option.name))
				add(option.name);
	},

	value(name) {
		const o = this.map.children[0].getOption(name);

		return o ? o.formvalue(this.main) ?? o.cfgvalue(this.main) : null;
	},

	update() {
		this.updateGuard();
		this.start.replaceChildren(this.firstSteps());
	},

	// What is missing before the first phone can be served, in the order in which it is filled in.
	firstSteps() {
		const has = value => value != null && value.length > 0;
		const enabled = this.value('enabled') == '1';
		const sections = this.map.data.sections(this.map.config, 'vendor').filter(section => this.brands().some(([ name ]) => name == section['.name']));
		const needsPassword = sections.some(section => (section.url || this.table.brands.get(section['.name'])?.url || '').includes('{provpass}'));
		const hasPassword = this.readonly ? this.map.data.get(this.map.config, this.main, '_provpass') : has(this.value('provpass'));
		const steps = [
			[ has(this.value('upstream')), _('Enter the address of your provider\'s provisioning server.') ],
			needsPassword ? [ hasPassword, _('Enter the provisioning password, if your provider gave you one. If there is none, take {provpass} out of the brands\' addresses.') ] : null,
			[ has(this.value('network')) || has(this.value('device')), _('Choose the networks that your phones are in.') ],
			[ sections.length > 0, _('Switch on the brands of your phones.') ],
			[ enabled, _('Tick Enable, then press Save & Apply.') ]
		].filter(step => step);
		const missing = steps.some(([ done ], i) => !done && !(needsPassword && i == 1));

		if (missing)
			return E('div', { 'class': 'alert-message notice', 'role': 'region', 'aria-label': _('First steps') }, E('div', {}, [
				E('h4', {}, [ _('First steps') ]),
				E('ol', {}, steps.map(([ done, text ]) => E('li', {}, [
					E('span', { 'role': 'img', 'aria-label': done ? _('done') : _('to do') }, [ done ? '☑' : '☐' ]), ' ', text
				])))
			]));

		return this.serviceHint();
	},

	serviceHint() {
		const stored = this.map.data.get(this.map.config, this.main, 'enabled');

		if (!this.service.known || stored != '1' || (this.service.enabled && this.service.running))
			return E([]);

		return E('div', { 'class': 'alert-message warning', 'role': 'status' }, E('div', {}, [
			E('p', {}, [ this.service.enabled
				? _('The service is not running, so no phone is served.')
				: this.service.running
					? _('The service runs, but will not start with the router.')
					: _('The service is switched off: it does not run, and will not start with the router.') ]),
			this.readonly ? '' : E('button', {
				'class': 'btn cbi-button cbi-button-action',
				'click': ui.createHandlerFn(this, 'startService')
			}, [ this.service.enabled ? _('Start the service') : _('Switch the service on') ])
		]));
	},

	startService() {
		const actions = [ this.service.enabled ? null : 'enable', this.service.running ? null : 'start' ].filter(action => action);

		return actions.reduce((before, action) => before.then(() => agent.serviceDo(action)), Promise.resolve())
			.then(() => agent.wait(1000))
			.then(() => agent.service())
			.then(service => {
				this.service = service;
				this.update();
			}, error => {
				ui.addNotification(null, E('p', {}, [ error.message ]), 'error');
			});
	},

	report(problems, refused, quiet) {
		this.said.replaceChildren(checked.problems(problems, refused));
		if (refused && !quiet)
			this.said.scrollIntoView({ block: 'center' });
	}
});

// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require form';
'require phoneprov.checked as checked';

// Fields of a form, made from the agent's own table of options (rpcd method `options`): kind, limits, defaults and choices
// come from there, titles and explanations stand here, where they can be translated. An option that is not named here, of a
// newer agent, is shown all the same, with the agent's own words.

const UCI_TRUE = [ '1', 'yes', 'on', 'true', 'enabled' ];

// Kinds whose values do not fit into a field of LuCI's usual width.
const LONG = [ 'upstream', 'secret', 'path', 'template' ];

const words = {
	agent: {
		enabled: [ _('Enable'), _('Serve phones. Switch it on when the provider is set.') ],
		upstream: [ _('Provider'), _('Address of your telephone provider\'s provisioning server, beginning with https:// or http://. It takes the place of {upstream} in the addresses below.') ],
		provpass: [ _('Provisioning password'), _('It takes the place of {provpass} in the addresses below. It goes to the provider and nowhere else: not to the phones, not into a log.') ],
		network: [ _('Networks'), _('Networks whose phones are served.') ],
		device: [ _('Devices'), _('Network devices whose phones are served, by name. When there are any, the networks above are not looked at.') ],
		port: [ _('Port'), _('TCP port on which phones fetch their configs from this router.') ],
		pnp: [ _('Answer SIP PnP'), _('Most desk phones ask the network by multicast (SUBSCRIBE to 224.0.1.75) when they start. This tells them where their config is.') ],
		dhcp: [ _('Address by DHCP'), _('How phones that do not ask by PnP learn where their config is. Addresses are never assigned by the agent.') ],
		dnsmasq_conf: [ _('File for dnsmasq'), _('Only for a system without /etc/config/dhcp: write this one file of dnsmasq directives.') ],
		upstream_timeout: [ _('Patience without a stored config'), _('How long a phone waits for the provider when nothing is stored for it.') ],
		fresh_wait: [ _('Patience with a stored config'), _('How long a phone waits for the provider when a config is stored. After that it gets the stored one, so it works even when the provider is down.') ],
		fresh_for: [ _('Answer again without asking'), _('An answer this young is given again without asking the provider. Phones ask twice, and some providers refuse the second time.') ],
		grace: [ _('Grace'), _('How long a phone that the provider refuses, or no longer knows, keeps its last good config.') ],
		history: [ _('Configs kept'), _('Good configs kept of each file of a phone, to roll back to. The last good one counts.') ],
		cache_max: [ _('Flash for configs'), _('Flash that stored configs may take, all together. When it is full, old ones go; a last good config never does.') ],
		shared_max: [ _('RAM for firmware'), _('RAM for files that many phones ask for, such as firmware and languages. 0 keeps none.') ],
		rewrite: [ _('Keep phones at this router'), _('Addresses of the provider inside configs become the router\'s, so that phones go on asking here.') ],
		redirect_origin: [ _('Allowed redirects'), _('Other servers that the provider may send to, as https://cdn.example.net.') ],
		verify_mac: [ _('Check MAC addresses'), _('A config goes only to the device that has the phone\'s MAC address in the neighbour table.') ],
		enrol: [ _('New phones'), _('Which phones are served that were never seen before.') ],
		guard_share: [ _('Share that may change'), _('Part of the known phones that may get another account, or lose theirs, before the guard holds the rest.') ],
		guard_min: [ _('Number that may change in any case'), _('So that an office with few phones can change some of them.') ],
		guard_window: [ _('Within'), _('Time over which changes are counted.') ],
		ca_file: [ _('Certificate authorities'), _('PEM file with authorities that are trusted for the provider, beside those of the system.') ],
		state_dir: [ _('Folder on flash'), _('What survives a reboot: last good configs and known phones.') ],
		run_dir: [ _('Folder in RAM'), _('Control socket, status and shared files.') ]
	},
	vendor: {
		enabled: [ _('Serve'), _('Answer the phones of this brand.') ],
		oui: [ _('MAC prefixes'), _('How its phones are told from other devices, as 00:04:13:*:*:*. None: those that the agent knows for this brand.') ],
		url: [ _('Address at the provider'), _('Where the provider has the config of a phone. Empty: the one that the agent knows for this brand.') ]
	},
	phone: {
		mac: [ _('MAC address'), _('In any spelling.') ],
		vendor: [ _('Brand'), _('Serves it, whatever its MAC address says.') ]
	},
	qos: {
		enabled: [ _('Calls first'), _('Write the rules below into the router\'s own traffic control, and keep them right.') ],
		backend: [ _('Back end'), _('The package that does the work.') ],
		mediaserver: [ _('Media servers'), _('Where calls go: host names, addresses or address blocks such as 203.0.113.0/24. Your provider knows them.') ],
		upload: [ _('Upload speed'), _('Speed of your line upwards. Take a little less than it has, so that the queue is in this router. 0 leaves it as it is set.') ],
		download: [ _('Download speed'), _('Speed of your line downwards, a little less than it has. 0 leaves it as it is set.') ]
	}
};

const choices = {
	'agent.dhcp': {
		dnsmasq: _('by this router\'s DHCP server (option 66)'),
		responder: _('by the agent, beside another DHCP server'),
		off: _('not at all')
	},
	'agent.enrol': {
		open: _('all of the brands that are served'),
		window: _('only for some minutes after somebody has admitted new phones'),
		list: _('only those listed below')
	},
	'qos.backend': {
		auto: _('the one that is installed'),
		'qos-scripts': _('qos-scripts (HFSC, older routers)'),
		fw4: _('firewall marks (DSCP) alone'),
		sqm: _('SQM with CAKE'),
		qosify: _('qosify (eBPF and CAKE)')
	}
};

const placeholders = {
	upstream: _('the address of the provider, as set above; only at the very beginning'),
	provpass: _('the provisioning password; in a folder or in a parameter, not in the last part of the path'),
	model: _('the model, if the phone says it'),
	version: _('the firmware version, if the phone says it'),
	ip: _('the phone\'s address'),
	vendor: _('the name of the brand\'s section')
};

const units = {
	s: _('seconds'),
	minutes: _('minutes'),
	days: _('days'),
	'%': '%',
	KiB: 'KiB',
	'kbit/s': 'kbit/s'
};

const escaped = text => '%h'.format(text);

function limits(option) {
	if (option.min == null || option.max == null)
		return '';

	const unit = units[option.unit] ?? option.unit ?? '';
	const range = unit ? _('%d to %d %s').format(option.min, option.max, unit) : _('%d to %d').format(option.min, option.max);

	return option.default == null ? _('%s.').format(range) : _('%s, normally %s.').format(range, option.default);
}

function described(type, option) {
	const own = words[type]?.[option.name]?.[1];

	return [ escaped(own ?? option.help ?? ''), escaped(limits(option)) ].filter(part => part).join(' ');
}

/** The agent's table, by type and name. */
class Table {
	constructor(answer) {
		this.types = new Map((answer?.types ?? []).map(type => [ type.type, type.options ?? [] ]));
		this.placeholders = answer?.placeholders ?? [];
		this.brands = new Map((answer?.vendors ?? []).map(brand => [ brand.name, brand ]));
	}

	all(type) {
		return this.types.get(type) ?? [];
	}

	find(type, name) {
		return this.all(type).find(option => option.name == name) ?? { name };
	}

	label(brand) {
		return this.brands.get(brand)?.label ?? brand;
	}
}

function widgetOf(option) {
	if (option.kind == 'bool')
		return form.Flag;
	if (option.kind == 'choice')
		return form.ListValue;
	if (option.list)
		return form.DynamicList;
	return form.Value;
}

function boolean(o, option) {
	const load = o.load;

	o.default = option.default == '1' ? '1' : '0';
	// written even when it is the default: whoever reads the file shall not need to know that
	o.rmempty = false;
	o.load = function(section_id) {
		return Promise.resolve(load.call(this, section_id))
			.then(value => value == null ? value : UCI_TRUE.includes(value) ? '1' : '0');
	};
}

function choice(o, type, option) {
	const known = choices[`${type}.${option.name}`] ?? {};
	const load = o.load;

	for (const value of option.values ?? Object.keys(known))
		o.value(value, known[value] ? `${value}: ${known[value]}` : value);

	o.default = option.default;
	o.rmempty = option.default == null;
	o.load = function(section_id) {
		return Promise.resolve(load.call(this, section_id)).then(value => {
			// what is in the file is shown, even when it is wrong: then the agent says so
			if (value != null && !this.keylist.includes(value))
				this.value(value);
			return value;
		});
	};
}

/** What LuCI makes the field of, and what it lacks: room for long values, and a name where no title stands beside it. */
function dressed(o, title) {
	const renderWidget = o.renderWidget;

	o.renderWidget = function(section_id, ...rest) {
		return Promise.resolve(renderWidget.call(this, section_id, ...rest)).then(node => {
			if (this.wide)
				for (const input of node.querySelectorAll('input:not([type="hidden"]), select'))
					Object.assign(input.style, { width: input.matches('select') ? 'auto' : 'min(40em, 60vw)', maxWidth: '70vw' });
			if (this.nameFor)
				node.querySelector('input, select')?.setAttribute('aria-label', `${title}: ${this.nameFor(section_id)}`);
			return node;
		});
	};
}

return baseclass.extend({
	Table,

	/** What the option is called on the page. */
	title(type, name) {
		return words[type]?.[name]?.[0] ?? name;
	},

	/** Its explanation, as HTML. */
	help(type, option) {
		return described(type, option);
	},

	/** Does the page have its own words for it? */
	isKnown(type, name) {
		return words[type]?.[name] != null;
	},

	/** What a choice means. */
	choice(type, name, value) {
		return choices[`${type}.${name}`]?.[value] ?? value;
	},

	/** What becomes of a placeholder: example or words. */
	placeholder(entry) {
		return placeholders[entry.name] ?? entry.help.replace(/`/g, '');
	},

	/**
	 * Adds an option to a section of a form: `tab` may be null. `more` overrides: `widget`, and properties of the field; of
	 * ours are `wide`, and `nameFor(section_id)` for a field in a table.
	 */
	add(section, tab, table, type, name, more) {
		const option = table.find(type, name);
		const { widget, ...properties } = more ?? {};
		const cls = widget ?? widgetOf(option);
		const args = [ cls, name, escaped(this.title(type, name)), described(type, option) ];
		const o = tab == null ? section.option(...args) : section.taboption(tab, ...args);

		if (cls === form.Flag)
			boolean(o, option);
		else if (cls === form.ListValue) {
			choice(o, type, option);
			o.wide = tab != null;
		}
		else if (option.default != null)
			o.placeholder = option.default;

		if (option.secret)
			o.password = true;
		if (tab != null && LONG.includes(option.kind))
			o.wide = true;

		Object.assign(o, properties);
		if (o.wide || o.nameFor)
			dressed(o, this.title(type, name));
		// a checkbox cannot be wrong
		if (!section.map.readonly && cls !== form.Flag)
			checked.attach(o, type, option.list === true);

		return o;
	}
});

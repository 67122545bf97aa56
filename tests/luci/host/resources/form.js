'use strict';
'require baseclass';
'require dom';
'require rpc';
'require uci';
'require ui';
'require fields';

// Stands in for LuCI's form.js: maps and sections; the options are in fields.js. Written from its documented behaviour, for
// tests only. What the app's views do not use is left out (nested sections, file uploads, cloning of rows).

const mayWrite = rpc.declare({ object: 'session', method: 'access', params: ['scope', 'object', 'function'], expect: { access: false } });

const plain = (html) => {
	if (dom.elem(html)) return html.textContent;
	if (!/[<>&]/.test(html ?? '')) return html ?? '';
	return E('div', {}, html).textContent;
};

const Element_ = baseclass.extend({
	__init__(title, description) {
		Object.assign(this, { title: title ?? '', description: description ?? '', children: [] });
	},

	append(child) { this.children.push(child); },

	/** A text or a function of the object's own, for titles of buttons. */
	titleFn(name, ...args) {
		const given = this[name];
		const text = typeof given === 'function' ? given.apply(this, args) : typeof given === 'string' ? given.format(...args) : null;
		return text === null || text === undefined || plain(text).trim() === '' ? null : plain(text).trim();
	},

	stripTags: plain,
});

/** Data in memory with the methods of `uci`. */
const Memory = baseclass.extend({
	__init__(data) {
		this.data = {};
		let index = 0;
		for (const [type, value] of Object.entries(data ?? {})) {
			for (const [i, one] of [value].flat().entries()) {
				const name = one?.['.name'] ?? (Array.isArray(value) ? `${type}${i}` : type);
				this.data[name] = { ...one, '.type': type, '.name': name, '.index': index++, '.anonymous': false };
			}
		}
		this.source = data;
	},
	load: () => Promise.resolve(),
	save: () => Promise.resolve(),
	unload() {},
	sections(config, type) { return Object.values(this.data).filter((s) => !type || s['.type'] === type).sort((a, b) => a['.index'] - b['.index']); },
	get(config, sid, option) { return option === undefined || option === null ? this.data[sid] ?? null : this.data[sid]?.[option] ?? null; },
	set(config, sid, option, value) {
		if (!this.data[sid]) return;
		this.data[sid][option] = value;
		if (L.isObject(this.source?.[sid])) this.source[sid][option] = value;
	},
	unset(config, sid, option) {
		delete this.data[sid]?.[option];
		if (L.isObject(this.source?.[sid])) delete this.source[sid][option];
	},
	add(config, type, name) {
		const sid = name ?? `${type}${Object.keys(this.data).length}`;
		this.data[sid] = { '.type': type, '.name': sid, '.index': Object.keys(this.data).length };
		return sid;
	},
	remove(config, sid) { delete this.data[sid]; },
});

const Map_ = Element_.extend({
	__name__: 'Map',

	__init__(config, title, description) {
		this.super('__init__', [title, description]);
		Object.assign(this, { config, data: uci, configs: [config] });
		// LuCI's own settings, for the look of tables
		L.resolveDefault(uci.load('luci'));
	},

	chain(config) { if (!this.configs.includes(config)) this.configs.push(config); },

	section(Kind, ...args) {
		const made = new Kind(this, ...args);
		this.append(made);
		return made;
	},

	async load() {
		const [allowed] = await Promise.all([
			this.data === uci && this.readonly === undefined ? mayWrite('uci', this.config, 'write') : true,
			...this.configs.map((config, i) => (i ? L.resolveDefault(this.data.load(config)) : this.data.load(config))),
		]);
		if (!allowed) this.readonly = true;
		await Promise.all(this.children.map((s) => s.load()));
	},

	parse() { return Promise.all(this.children.map((s) => s.parse())); },

	async save(fn, silent) {
		this.checkDepends();
		try {
			await this.parse();
			await fn?.();
			await this.data.save();
			await this.load();
		} catch (e) {
			if (!silent) {
				ui.showModal(_('Save error'), [
					E('p', {}, [_('An error occurred while saving the form:')]),
					E('p', {}, [E('em', { style: 'white-space:pre-wrap' }, [e.message])]),
					E('div', { class: 'right' }, [E('button', { class: 'cbi-button', click: ui.hideModal }, [_('Dismiss')])]),
				]);
			}
			throw e;
		}
		return this.renderContents();
	},

	reset() { return this.renderContents(); },

	async render() {
		await this.load();
		return this.renderContents();
	},

	async renderContents() {
		this.root ??= E('div', { id: `cbi-${this.config}`, class: 'cbi-map' });
		dom.bindClassInstance(this.root, this);
		const nodes = await Promise.all(this.children.map((s) => s.render()));
		const head = [];
		if (this.title) head.push(E('h2', { name: 'content' }, this.title));
		if (this.description) head.push(E('div', { class: 'cbi-map-descr' }, this.description));
		const body = this.tabbed ? [E('div', { class: 'cbi-map-tabbed' }, nodes)] : nodes;
		dom.content(this.root, [...head, ...body]);
		this.checkDepends();
		this.root.querySelectorAll('.cbi-map-tabbed, .cbi-section-node-tabbed').forEach((group) => ui.tabs.initTabGroup(group.children));
		return this.root;
	},

	findElement(name, value) {
		return [...(this.root?.querySelectorAll(`[${name}]`) ?? [])].find((n) => n.getAttribute(name) === value) ?? null;
	},

	/** The option that shows a field, and its section's name. */
	lookupOption(name, sid, config) {
		const id = name.includes('.') ? (name.startsWith('cbid.') ? name : `cbid.${name}`) : `cbid.${config ?? this.config}.${sid}.${name}`;
		const node = this.findElement('data-field', id);
		const option = node && dom.findClassInstance(node);
		return option ? [option, id.split('.')[2]] : null;
	},

	checkDepends() {
		for (let turns = 0, changed = true; changed && turns < 10; turns++) {
			changed = this.children.map((s) => s.checkDepends()).includes(true);
		}
		if (this.root) ui.tabs.updateTabs(null, this.root);
	},
});

const JSONMap = Map_.extend({
	__name__: 'JSONMap',

	__init__(data, title, description) {
		this.super('__init__', ['json', title, description]);
		this.data = new Memory(data);
	},
});

const Section = Element_.extend({
	__name__: 'AbstractSection',

	__init__(map, type, title, description) {
		this.super('__init__', [title, description]);
		Object.assign(this, { map, config: map.config, sectiontype: type, addremove: false });
	},

	filter: () => true,
	inTable: false,

	tab(name, title, description) {
		this.tabs ??= [];
		this.tabs.push({ name, title, description });
	},

	option(Kind, ...args) {
		const made = new Kind(this.map, this, ...args);
		this.append(made);
		return made;
	},

	taboption(tab, ...args) {
		if (!this.tabs?.some((t) => t.name === tab)) throw new ReferenceError('Associated tab not declared');
		const made = this.option(...args);
		made.tab = tab;
		return made;
	},

	config_() { return this.uciconfig ?? this.map.config; },
	shown() { return this.children.filter((o) => !o.disable); },

	load() {
		return Promise.all(this.cfgsections().flatMap((sid) => this.shown().map(async (o) => o.cfgvalue(sid, await o.load(sid)))));
	},

	parse() { return Promise.all(this.cfgsections().flatMap((sid) => this.children.map((o) => o.parse(sid)))); },

	getOption(name) {
		return name === undefined ? Object.fromEntries(this.children.map((o) => [o.option, o])) : this.children.find((o) => o.option === name) ?? null;
	},
	of(method, sid, name) {
		if (name !== undefined) return this.getOption(name)?.[method](sid) ?? null;
		return Object.fromEntries(this.children.map((o) => [o.option, o[method](sid)]));
	},
	cfgvalue(sid, name) { return this.of('cfgvalue', sid, name); },
	formvalue(sid, name) { return this.of(this.map.root ? 'formvalue' : 'cfgvalue', sid, name); },
	getUIElement(sid, name) { return this.of('getUIElement', sid, name); },

	async renderUCISection(sid) {
		const render = (options) => Promise.all(options.map((o, i) => o.render(i, sid, this.inTable)));
		if (!this.tabs || this.inTable) return E([...await render(this.shown())]);
		const panes = await Promise.all(this.tabs.map(async ({ name, title, description }) => E('div', {
			id: `container.${this.config_()}.${sid}.${name}`, 'data-tab': name, 'data-tab-title': title, 'data-tab-active': name === this.selected_tab,
		}, [description ? E('div', { class: 'cbi-tab-descr' }, description) : '', ...await render(this.shown().filter((o) => o.tab === name))])));
		return E(panes);
	},

	checkDepends() {
		let changed = false;
		for (const sid of this.cfgsections()) {
			if (!this.map.findElement('data-section-id', sid)) continue;
			for (const o of this.children) {
				const [is, should] = [o.isActive(sid), o.checkDepends(sid)];
				if (is !== should && o.setActive(sid, should)) changed = true;
				if (should) o.triggerValidation(sid);
			}
		}
		return changed;
	},

	head() {
		return [
			this.title && !this.hidetitle ? E('h3', {}, this.title) : null,
			this.description ? E('div', { class: 'cbi-section-descr' }, this.description) : null,
		];
	},

	/** One section's box. */
	box(sid, nodes) {
		return E('div', {
			id: `cbi-${this.config_()}-${sid}`, 'data-section-id': sid,
			class: `cbi-section-node${this.tabs ? ' cbi-section-node-tabbed' : ''}`,
		}, [nodes]);
	},

	frame(children, style = '') {
		const tab = this.map.tabbed ? { 'data-tab': this.sectiontype, 'data-tab-title': this.title || this.sectiontype } : {};
		const node = E('div', { id: `cbi-${this.config_()}-${this.sectiontype}`, class: `cbi-section ${style}`, ...tab }, children);
		dom.bindClassInstance(node, this);
		return node;
	},

	button(text, style, handler) {
		return E('button', { class: `cbi-button cbi-button-${style}`, title: text, click: handler, disabled: this.map.readonly || null }, [text]);
	},
});

const TypedSection = Section.extend({
	__name__: 'TypedSection',

	cfgsections() {
		return this.map.data.sections(this.config_(), this.sectiontype).map((s) => s['.name']).filter((sid) => this.filter(sid));
	},

	handleAdd(ev, name) {
		this.map.data.add(this.config_(), this.sectiontype, name);
		return this.map.save(null, true);
	},

	handleRemove(sid) {
		this.map.data.remove(this.config_(), sid);
		return this.map.save(null, true);
	},

	renderSectionAdd(style = '') {
		if (!this.addremove) return E([]);
		const text = this.titleFn('addbtntitle') ?? _('Add');
		if (this.anonymous) return E('div', { class: `cbi-section-create ${style}` }, [this.button(text, 'add', ui.createHandlerFn(this, 'handleAdd'))]);
		const name = E('input', { type: 'text', class: 'cbi-section-create-name', disabled: this.map.readonly || null });
		const button = this.button(text, 'add', ui.createHandlerFn(this, (ev) => (name.classList.contains('cbi-input-invalid') ? null : this.handleAdd(ev, name.value))));
		button.disabled = true;
		ui.addValidator(name, 'uciname', true, (value) => {
			button.disabled = value === '' || this.map.readonly;
			return true;
		}, 'blur', 'keyup');
		return E('div', { class: `cbi-section-create ${style}` }, [E('div', {}, [name]), button]);
	},

	renderSectionPlaceholder: () => E('em', {}, [_('This section contains no values yet')]),

	async render() {
		const sids = this.cfgsections();
		const nodes = await Promise.all(sids.map((sid) => this.renderUCISection(sid)));
		const boxes = sids.flatMap((sid, i) => [
			this.addremove ? E('div', { class: 'cbi-section-remove right' }, [this.button(this.titleFn('delbtntitle', sid) ?? _('Delete'), 'remove', ui.createHandlerFn(this, 'handleRemove', sid))]) : null,
			this.anonymous ? null : E('h3', {}, [sid.toUpperCase()]),
			this.box(sid, nodes[i]),
		]);
		return this.frame([...this.head(), ...boxes, sids.length ? null : this.renderSectionPlaceholder(), this.renderSectionAdd()]);
	},
});

const TableSection = TypedSection.extend({
	__name__: 'TableSection',
	inTable: true,

	columns() { return this.shown().filter((o) => !o.modalonly); },
	named() { return !this.anonymous || this.sectiontitle; },

	async renderUCISection(sid) {
		return Promise.all(this.columns().map((o, i) => o.render(i, sid, true)));
	},

	renderRowActions(sid) {
		const buttons = [];
		if (this.sortable) {
			// rows are moved by dragging with LuCI; no test does
			buttons.push(E('button', { class: 'cbi-button drag-handle center', title: _('Drag to reorder'), disabled: this.map.readonly || null }, ['☰']));
		}
		if (this.extedit || this.edits) {
			const edit = this.edits ? ui.createHandlerFn(this, 'renderMoreOptionsModal', sid)
				: () => { location.href = typeof this.extedit === 'function' ? this.extedit(sid) : this.extedit.format(sid); };
			buttons.push(E('button', { class: 'cbi-button cbi-button-edit', title: _('Edit'), click: edit }, [_('Edit')]));
		}
		if (this.addremove) buttons.push(this.button(this.titleFn('delbtntitle', sid) ?? _('Delete'), 'remove', ui.createHandlerFn(this, 'handleRemove', sid)));
		return buttons.length ? E('td', { class: 'td cbi-section-table-cell nowrap cbi-section-actions' }, [E('div', {}, buttons)]) : E([]);
	},

	async render() {
		const sids = this.cfgsections();
		const cells = await Promise.all(sids.map((sid) => this.renderUCISection(sid)));
		const cell = (o) => E('th', { class: 'th cbi-section-table-cell', 'data-widget': o.__name__, style: o.width ? `width:${o.width}` : null }, o.title);
		const descriptions = this.columns().some((o) => o.description) && !this.nodescriptions;
		const rows = sids.map((sid, i) => {
			const name = this.titleFn('sectiontitle', sid) ?? sid;
			return E('tr', { id: `cbi-${this.config_()}-${sid}`, class: `tr cbi-section-table-row cbi-rowstyle-${(i % 2) + 1}`, 'data-sid': sid, 'data-section-id': sid, 'data-title': this.named() ? name : null }, [
				this.named() ? E('td', { class: 'td cbi-value-field cbi-section-table-titles' }, [name]) : null, ...cells[i], this.renderRowActions(sid),
			]);
		});
		const actions = this.sortable || this.edits || this.extedit || this.addremove;
		const table = E('table', { class: 'table cbi-section-table' }, [
			E('thead', { class: 'thead cbi-section-thead' }, [
				E('tr', { class: 'tr cbi-section-table-titles' }, [this.named() ? E('th', { class: 'th cbi-section-table-cell' }, [_('Name')]) : null, ...this.columns().map(cell), actions ? E('th', { class: 'th cbi-section-table-cell cbi-section-actions' }) : null]),
				descriptions ? E('tr', { class: 'tr cbi-section-table-descr' }, [this.named() ? E('th', { class: 'th' }) : null, ...this.columns().map((o) => E('th', { class: 'th cbi-section-table-cell' }, o.description)), actions ? E('th', { class: 'th' }) : null]) : null,
			]),
			E('tbody', { class: 'tbody cbi-section-tbody' }, rows.length ? rows
				: [E('tr', { class: 'tr cbi-section-table-row placeholder' }, [E('td', { class: 'td' }, [this.renderSectionPlaceholder()])])]),
		]);
		return this.frame([...this.head(), table, this.renderSectionAdd('cbi-tblsection-create')], 'cbi-tblsection');
	},
});

const GridSection = TableSection.extend({
	__name__: 'GridSection',
	edits: true,

	async renderUCISection(sid) {
		return Promise.all(this.columns().map((o, i) => (o.editable ? o.render(i, sid, true) : this.renderTextValue(sid, o))));
	},

	renderTextValue(sid, o) {
		const value = o.textvalue(sid);
		return E('td', { class: 'td cbi-value-field', 'data-title': plain(o.title) || null, 'data-name': o.option, 'data-widget': 'CBI.DummyValue' },
			value !== null && value !== undefined ? value : E('em', {}, [_('none')]));
	},

	parse() {
		return Promise.all(this.cfgsections().flatMap((sid) => this.columns().filter((o) => o.editable).map((o) => o.parse(sid))));
	},

	handleAdd(ev, name) {
		this.map.addedSection = this.map.data.add(this.config_(), this.sectiontype, name);
		return this.renderMoreOptionsModal(this.map.addedSection);
	},

	addModalOptions() {},

	async handleModalSave(map) {
		// what is wrong is shown where it is
		try { await map.save(null, true); } catch { return; }
		delete this.map.addedSection;
		ui.hideModal();
		await this.map.load();
		return this.map.reset();
	},

	handleModalCancel() {
		if (this.map.addedSection) this.map.data.remove(this.config_(), this.map.addedSection);
		delete this.map.addedSection;
		ui.hideModal();
	},

	/** All options of one row, in a dialog with a map of its own. */
	async renderMoreOptionsModal(sid, ev) {
		const map = this.map.data === uci ? new Map_(this.map.config) : new JSONMap();
		Object.assign(map, { parent: this.map, data: this.map.data, readonly: this.map.readonly });
		const section = map.section(NamedSection, sid, this.sectiontype);
		section.tabs = this.tabs?.slice();
		for (const o of this.children) {
			if (o.modalonly === false) continue;
			const copy = Object.assign(Object.create(Object.getPrototypeOf(o)), o, { map, section, data: {}, in_modal: true });
			section.append(copy);
		}
		await this.addModalOptions(section, sid, ev);
		const node = await map.render();
		const name = this.titleFn('modaltitle', sid) ?? [plain(this.map.title), this.titleFn('sectiontitle', sid) ?? (this.anonymous ? null : sid)].filter(Boolean).join(' - ');
		ui.showModal(name, [node, E('div', { class: 'button-row' }, [
			E('button', { class: 'btn cbi-button', click: ui.createHandlerFn(this, 'handleModalCancel', map) }, [_('Dismiss')]), ' ',
			E('button', { class: 'btn cbi-button cbi-button-positive important', click: ui.createHandlerFn(this, 'handleModalSave', map), disabled: map.readonly || null }, [_('Save')]),
		])], 'cbi-modal');
	},
});

const NamedSection = Section.extend({
	__name__: 'NamedSection',

	__init__(map, sid, type, title, description) {
		this.super('__init__', [map, type, title, description]);
		this.section = sid;
	},

	cfgsections() { return [this.section]; },

	handleAdd() {
		this.map.data.add(this.config_(), this.sectiontype, this.section);
		return this.map.save(null, true);
	},

	handleRemove() {
		this.map.data.remove(this.config_(), this.section);
		return this.map.save(null, true);
	},

	async render() {
		const there = this.map.data.get(this.config_(), this.section);
		const nodes = await this.renderUCISection(this.section);
		const add = this.addremove ? this.button(this.titleFn('addbtntitle') ?? _('Add'), 'add', ui.createHandlerFn(this, 'handleAdd')) : null;
		const remove = this.addremove ? E('div', { class: 'cbi-section-remove right' }, [this.button(this.titleFn('delbtntitle') ?? _('Delete'), 'remove', ui.createHandlerFn(this, 'handleRemove'))]) : null;
		return this.frame([...this.head(), ...(there ? [remove, this.box(this.section, nodes)] : [add])]);
	},
});

return baseclass.extend({
	Map: Map_, JSONMap, AbstractSection: Section, TypedSection, TableSection, GridSection, NamedSection, ...fields.kinds,
});

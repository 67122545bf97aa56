'use strict';
'require baseclass';
'require dom';
'require ui';

// Stands in for the options of LuCI's form.js (Value, Flag, ListValue, DynamicList, …): what is loaded, shown, checked and
// written, and on what a field depends. Written from its documented behaviour, for tests only.

const same = (x, y) => {
	if (y instanceof RegExp) return x !== null && x !== undefined && y.test(x);
	const none = (v) => v === null || v === undefined;
	if (none(x) || none(y)) return none(x) && none(y);
	if (typeof x !== typeof y) return false;
	return typeof x === 'object' ? JSON.stringify(x) === JSON.stringify(y) : x === y;
};

const contains = (x, y) => (Array.isArray(x) ? x.includes(y) : typeof x === 'string' ? x.includes(y) : false);
const plain = (html) => (dom.elem(html) ? html.textContent : /[<>&]/.test(html ?? '') ? E('div', {}, html).textContent : html ?? '').trim();

const AbstractValue = baseclass.extend({
	__name__: 'AbstractValue',

	__init__(map, section, option, title, description) {
		Object.assign(this, {
			map, section, option, title: title ?? '', description: description ?? '', config: map.config,
			deps: [], rmempty: true, default: null, optional: false, retain: false, children: [], data: {},
		});
	},

	where(sid) {
		return [this.uciconfig ?? this.section.uciconfig ?? this.map.config, this.ucisection ?? sid, this.ucioption ?? this.option];
	},

	cbid(sid) { return `cbid.${this.uciconfig ?? this.section.uciconfig ?? this.map.config}.${sid}.${this.option}`; },

	/** Shown only where a field has a value; calls are alternatives. */
	depends(field, value) {
		this.deps.push(typeof field === 'string' ? { [field]: value } : field);
	},

	checkDepends(sid) {
		if (!this.deps.length) return true;
		const config = this.uciconfig ?? this.section.uciconfig ?? this.map.config;
		let fallback = false;
		for (const dep of this.deps) {
			const holds = Object.entries(dep).every(([name, wanted]) => {
				if (name === '!default') { fallback = true; return false; }
				if (name.startsWith('!')) return true;
				const found = this.map.lookupOption(name, sid, config);
				const value = found?.[0].isActive(found[1]) ? found[0].formvalue(found[1]) : null;
				return dep['!contains'] ? contains(value, wanted) : same(value, wanted);
			});
			if (holds !== Boolean(dep['!reverse'])) return true;
		}
		return fallback;
	},

	load(sid) { return this.map.data.get(...this.where(sid)); },

	cfgvalue(sid, ...value) {
		if (value.length) this.data[sid] = value[0];
		return this.data[sid];
	},

	getUIElement(sid) {
		const node = this.map.findElement('id', this.cbid(sid));
		const found = node ? dom.findClassInstance(node) : null;
		return found instanceof ui.AbstractElement ? found : null;
	},

	formvalue(sid) { return this.getUIElement(sid)?.getValue() ?? null; },

	textvalue(sid) {
		const value = this.cfgvalue(sid) ?? this.default;
		return value === null || value === undefined ? null : '%h'.format(Array.isArray(value) ? value.join(' ') : value);
	},

	validate: () => true,

	getValidator(sid) {
		const checks = [this.validate].flat();
		return (value) => {
			for (const check of checks) {
				const said = check.call(this, sid, value);
				if (said !== true) return said;
			}
			return true;
		};
	},

	isValid(sid) { return this.getUIElement(sid)?.isValid() ?? true; },
	getValidationError(sid) { return this.getUIElement(sid)?.getValidationError() ?? ''; },
	triggerValidation(sid) { return this.getUIElement(sid)?.triggerValidation() ?? true; },

	isActive(sid) {
		const node = this.map.findElement('data-field', this.cbid(sid));
		return node !== null && !node.classList.contains('hidden');
	},

	setActive(sid, active) {
		const node = this.map.findElement('data-field', this.cbid(sid));
		if (!node || node.classList.contains('hidden') !== active) return false;
		node.classList.toggle('hidden', !active);
		return true;
	},

	invalid(sid) {
		const words = _('Option "%s" contains an invalid input value.').format(plain(this.title) || this.option);
		return Promise.reject(new TypeError(`${words} ${this.getValidationError(sid)}`));
	},

	parse(sid) {
		if (!this.isActive(sid)) return Promise.resolve(this.retain ? undefined : this.remove(sid));
		if (!this.isValid(sid)) return this.invalid(sid);
		const value = this.formvalue(sid);
		const none = value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length);
		// LuCI compares with ==
		const usual = !none && String(value) === String(this.default);
		if (none || (usual && (this.optional || this.rmempty))) {
			if (this.rmempty || this.optional) return Promise.resolve(this.remove(sid));
			return Promise.reject(new TypeError(_('Option "%s" must not be empty.').format(plain(this.title) || this.option)));
		}
		return Promise.resolve(this.forcewrite || !same(this.cfgvalue(sid), value) ? this.write(sid, value) : undefined);
	},

	write(sid, value) { return this.map.data.set(...this.where(sid), value); },
	remove(sid) { return this.map.data.unset(...this.where(sid)); },
	titleFn(name, ...args) {
		const given = this[name];
		const text = typeof given === 'function' ? given.apply(this, args) : typeof given === 'string' ? given.format(...args) : '';
		return plain(text ?? '') || null;
	},
	stripTags: plain,
});

const Value = AbstractValue.extend({
	__name__: 'CBI.Value',

	value(key, text) {
		(this.keylist ??= []).push(String(key));
		(this.vallist ??= []).push(dom.elem(text) ? text : String(text ?? key));
	},

	transformChoices() {
		return this.keylist?.length ? Object.fromEntries(this.keylist.map((k, i) => [k, this.vallist[i]])) : null;
	},

	/** What all fields have in common. */
	settings(sid) {
		return {
			id: this.cbid(sid), sort: this.keylist, optional: this.optional || this.rmempty, datatype: this.datatype, placeholder: this.placeholder,
			validate: this.getValidator(sid), disabled: this.readonly ?? this.map.readonly,
		};
	},

	async render(index, sid, inTable) {
		const node = await this.renderWidget(sid, index, await this.cfgvalue(sid));
		return this.renderFrame(sid, inTable, index, node);
	},

	renderFrame(sid, inTable, index, node) {
		const id = this.cbid(sid).replace('cbid.', 'cbi-').replaceAll('.', '-');
		const hidden = this.deps.length ? ' hidden' : '';
		const names = { 'data-name': this.option, 'data-widget': this.__name__ };
		let frame;
		if (inTable) {
			frame = E('td', { class: 'td cbi-value-field', 'data-title': plain(this.title) || null, ...names }, [
				E('div', { id, 'data-field': this.cbid(sid), class: hidden }, [node]),
			]);
		} else {
			const label = this.title ? E('label', {
				class: 'cbi-value-title', for: `widget.${this.cbid(sid)}`,
				// a checkbox has an id of its own
				click: (ev) => {
					const own = ev.currentTarget.nextElementSibling.querySelector(`[data-widget-id="widget.${this.cbid(sid)}"]`);
					own?.click();
					own?.focus();
				},
			}, this.title) : null;
			const description = this.description ? E('div', { class: 'cbi-value-description' }, this.description) : null;
			frame = E('div', { id, class: `cbi-value${hidden}`, 'data-field': this.cbid(sid), 'data-index': index, ...names }, [
				label, E('div', { class: 'cbi-value-field' }, [node, description]),
			]);
		}
		let before;
		frame.addEventListener('widget-change', (ev) => {
			this.map.checkDepends();
			if (typeof this.onchange !== 'function') return;
			const value = this.formvalue(sid);
			if (same(value, before)) return;
			before = value;
			this.onchange(ev, sid, value);
		});
		dom.bindClassInstance(frame, this);
		const own = frame.querySelector('[data-field]');
		if (own) dom.bindClassInstance(own, this);
		return frame;
	},

	renderWidget(sid, index, cfgvalue) {
		const value = cfgvalue ?? this.default;
		const text = Array.isArray(value) ? value.join(' ') : value;
		const choices = this.transformChoices();
		if (choices) return new ui.Combobox(text, choices, { ...this.settings(sid), select_placeholder: this.placeholder ?? _('unspecified') }).render();
		return new ui.Textfield(text, { ...this.settings(sid), password: this.password }).render();
	},
});

const DynamicList = Value.extend({
	__name__: 'CBI.DynamicList',
	renderWidget(sid, index, cfgvalue) {
		return new ui.DynamicList(L.toArray(cfgvalue ?? this.default), this.transformChoices(), { ...this.settings(sid), allowduplicates: this.allowduplicates }).render();
	},
});

const ListValue = Value.extend({
	__name__: 'CBI.ListValue',
	widget: 'select',
	orientation: 'horizontal',
	renderWidget(sid, index, cfgvalue) {
		const { datatype, ...settings } = this.settings(sid);
		return new ui.Select(cfgvalue ?? this.default, this.transformChoices(), { ...settings, optional: this.optional, widget: this.widget, orientation: this.orientation, size: this.size }).render();
	},
});

const RichListValue = ListValue.extend({
	__name__: 'CBI.RichListValue',
	value(key, title, description) {
		const both = description ? E([], [E('span', { class: 'hide-open' }, [title]), E('div', { class: 'hide-close' }, [E('strong', {}, [title]), E('br'), E('span', {}, description)])]) : title;
		this.super('value', [key, description ? E('div', {}, [both]) : both]);
	},
	renderWidget(sid, index, cfgvalue) {
		return new ui.Dropdown(cfgvalue ?? this.default, this.transformChoices(), { ...this.settings(sid), datatype: undefined, optional: this.optional, select_placeholder: this.placeholder }).render();
	},
});

const Flag = Value.extend({
	__name__: 'CBI.FlagValue',
	__init__(...args) {
		this.super('__init__', args);
		Object.assign(this, { enabled: '1', disabled: '0', default: '0' });
	},
	renderWidget(sid, index, cfgvalue) {
		return new ui.Checkbox(cfgvalue ?? this.default, {
			id: this.cbid(sid), value_enabled: this.enabled, value_disabled: this.disabled, validate: this.getValidator(sid), disabled: this.readonly ?? this.map.readonly,
		}).render();
	},
	formvalue(sid) { return this.getUIElement(sid)?.isChecked() ? this.enabled : this.disabled; },
	textvalue(sid) { return (this.cfgvalue(sid) ?? this.default) === this.enabled ? _('Yes') : _('No'); },
	parse(sid) {
		if (!this.isActive(sid)) return Promise.resolve(this.retain ? undefined : this.remove(sid));
		if (!this.isValid(sid)) return this.invalid(sid);
		const value = this.formvalue(sid);
		return Promise.resolve(value === this.default && (this.optional || this.rmempty) ? this.remove(sid) : this.write(sid, value));
	},
});

const MultiValue = DynamicList.extend({
	__name__: 'CBI.MultiValue',
	renderWidget(sid, index, cfgvalue) {
		return new ui.Dropdown(L.toArray(cfgvalue ?? this.default), this.transformChoices(), {
			...this.settings(sid), datatype: undefined, multiple: true, create: this.create, select_placeholder: this.placeholder ?? _('-- Please choose --'),
		}).render();
	},
});

const TextValue = Value.extend({
	__name__: 'CBI.TextValue',
	renderWidget(sid, index, cfgvalue) {
		return new ui.Textarea(cfgvalue ?? this.default, { ...this.settings(sid), readonly: this.readonly ?? this.map.readonly, disabled: null, rows: this.rows, cols: this.cols }).render();
	},
});

const silent = { write() {}, remove() {} };

const DummyValue = Value.extend({
	__name__: 'CBI.DummyValue',
	...silent,
	renderWidget(sid, index, cfgvalue) {
		const value = cfgvalue ?? this.default;
		const out = E('output', { for: this.cbid(sid) }, this.rawhtml ? value : [value]);
		return E([out, new ui.Hiddenfield(dom.elem(value) ? '' : value, { id: this.cbid(sid) }).render()]);
	},
});

const Button = Value.extend({
	__name__: 'CBI.ButtonValue',
	renderWidget(sid, index, cfgvalue) {
		const value = cfgvalue ?? this.default;
		const text = this.titleFn('inputtitle', sid) ?? this.titleFn('title', sid);
		const button = value === false ? ' - ' : E('button', {
			class: `cbi-button cbi-button-${this.inputstyle ?? 'button'}`, disabled: (this.readonly ?? this.map.readonly) || null,
			click: ui.createHandlerFn(this, (ev) => (this.onclick ? this.onclick(ev, sid) : this.map.save())),
		}, [text]);
		return E([E('output', { for: this.cbid(sid) }, [button]), new ui.Hiddenfield(value, { id: this.cbid(sid) }).render()]);
	},
});

const HiddenValue = Value.extend({
	__name__: 'CBI.HiddenValue',
	renderWidget(sid, index, cfgvalue) { return new ui.Hiddenfield(cfgvalue ?? this.default, { id: this.cbid(sid) }).render(); },
});

/** A whole section in the place of a field. */
const SectionValue = Value.extend({
	__name__: 'CBI.ContainerValue',
	...silent,
	__init__(map, section, option, Kind, ...args) {
		this.super('__init__', [map, section, option]);
		this.subsection = new Kind(map, ...args);
		this.subsection.parentoption = this;
	},
	load() { return this.subsection.load(); },
	parse() { return this.subsection.parse(); },
	renderWidget() { return this.subsection.render(); },
	checkDepends(sid) {
		this.subsection.checkDepends();
		return this.super('checkDepends', [sid]);
	},
	cfgvalue: () => null,
	formvalue: () => null,
});

return baseclass.extend({
	kinds: { AbstractValue, Value, DynamicList, ListValue, RichListValue, Flag, MultiValue, TextValue, DummyValue, Button, HiddenValue, SectionValue },
});

'use strict';
'require baseclass';
'require dom';
'require validation';

// Stands in for the form fields of LuCI's ui.js (Textfield, Checkbox, Select, Dropdown, DynamicList, …), with the same roles,
// labels and class names. Written from their documented behaviour, for tests only.

const AbstractElement = baseclass.extend({
	__name__: 'AbstractElement',

	__init__(value, options) {
		this.value = value;
		this.options = { optional: true, ...options };
	},

	id() { return this.options.id ? `widget.${this.options.id}` : null; },
	flag(name) { return this.options[name] ? '' : null; },
	isValid() { return this.valid !== false; },
	getValidationError() { return this.error ?? ''; },
	isChanged() { return this.node?.getAttribute('data-changed') === 'true'; },

	triggerValidation() {
		if (!this.check) return false;
		const before = this.isValid();
		this.check();
		return before !== this.isValid();
	},

	setPlaceholder(text) {
		this.node?.querySelector('input, textarea')?.setAttribute('placeholder', text ?? '');
	},

	/** `field` has the value that is checked at `typed`; at `changed` the form is told. */
	watch(frame, field, typed, changed) {
		this.node = frame;
		dom.bindClassInstance(frame, this);
		frame.addEventListener('validation-success', () => { this.valid = true; this.error = ''; });
		frame.addEventListener('validation-failure', (ev) => { this.valid = false; this.error = ev.detail.message; });
		const { datatype, validate, optional } = this.options;
		if (datatype || validate) {
			this.check = validation.create(field, datatype ?? 'string', optional, validate);
			for (const name of typed) field.addEventListener(name, this.check);
			this.check();
		}
		const tell = (kind) => frame.dispatchEvent(new CustomEvent(kind, { bubbles: true }));
		for (const name of typed) field.addEventListener(name, () => tell('widget-update'));
		for (const name of changed) {
			field.addEventListener(name, () => {
				frame.setAttribute('data-changed', true);
				tell('widget-change');
			});
		}
		return frame;
	},
});

const Textfield = AbstractElement.extend({
	__name__: 'Textfield',

	render() {
		const o = this.options;
		const field = E('input', {
			id: this.id(), name: o.name, type: o.password ? 'password' : 'text', class: o.password ? 'cbi-input-password' : 'cbi-input-text',
			readonly: this.flag('readonly'), disabled: this.flag('disabled'), maxlength: o.maxlength, placeholder: o.placeholder, value: this.value,
		});
		const show = E('button', {
			class: 'cbi-button cbi-button-neutral', title: _('Reveal/hide password'), 'aria-label': _('Reveal/hide password'),
			click: (ev) => { field.type = field.type === 'password' ? 'text' : 'password'; ev.preventDefault(); },
		}, ['∗']);
		const frame = E('div', { id: o.id }, [o.password ? E('div', { class: 'control-group' }, [field, show]) : field]);
		return this.watch(frame, field, ['keyup', 'blur'], ['change']);
	},

	getValue() { return this.node.querySelector('input').value; },
	setValue(value) { this.node.querySelector('input').value = value ?? ''; },
});

const Textarea = AbstractElement.extend({
	__name__: 'Textarea',

	render() {
		const o = this.options;
		const field = E('textarea', {
			id: this.id(), name: o.name, class: 'cbi-input-textarea', readonly: this.flag('readonly'), disabled: this.flag('disabled'),
			placeholder: o.placeholder, rows: o.rows, cols: o.cols, style: o.cols ? null : 'width:100%',
		}, [this.value ?? '']);
		return this.watch(E('div', { id: o.id }, [field]), field, ['keyup', 'blur'], ['change']);
	},

	getValue() { return this.node.firstElementChild.value; },
	setValue(value) { this.node.firstElementChild.value = value ?? ''; },
});

let boxes = 0;

const Checkbox = AbstractElement.extend({
	__name__: 'Checkbox',

	__init__(value, options) {
		this.value = value;
		this.options = { value_enabled: '1', value_disabled: '0', ...options };
	},

	render() {
		const o = this.options;
		const id = `cb${(++boxes).toString(16).padStart(8, '0')}`;
		const field = E('input', {
			id, name: o.name, type: 'checkbox', value: o.value_enabled, disabled: this.flag('disabled'),
			checked: this.value === o.value_enabled ? '' : null, 'data-widget-id': this.id(),
		});
		const frame = E('div', { id: o.id, class: 'cbi-checkbox' }, [field, E('label', { for: id })]);
		return this.watch(frame, field, ['click', 'blur'], ['change']);
	},

	isChecked() { return this.node.querySelector('input').checked; },
	getValue() { return this.isChecked() ? this.options.value_enabled : this.options.value_disabled; },
	setValue(value) { this.node.querySelector('input').checked = value === this.options.value_enabled; },
});

const ordered = (choices, sort) => (Array.isArray(sort) ? sort : sort === true ? L.sortedKeys(choices) : Object.keys(choices ?? {}));

const Select = AbstractElement.extend({
	__name__: 'Select',

	__init__(value, choices, options) {
		this.value = [value].flat()[0] ?? '';
		this.choices = choices ?? {};
		this.options = { widget: 'select', ...options };
		if ('' in this.choices) this.options.optional = true;
	},

	render() {
		const o = this.options;
		const keys = ordered(this.choices, o.sort).filter((k) => k !== '');
		if (o.widget === 'radio') {
			const frame = E('div', { id: o.id }, keys.flatMap((key, i) => [
				E('span', { class: 'cbi-radio' }, [
					E('input', { id: `${this.id()}.${i}`, name: o.id, type: 'radio', value: key, checked: key === this.value ? '' : null, disabled: this.flag('disabled') }),
					E('label', { for: `${this.id()}.${i}` }),
					E('span', { click: (ev) => ev.currentTarget.parentNode.firstChild.click() }, [this.choices[key]]),
				]), o.orientation === 'horizontal' ? ' ' : E('br'),
			]));
			return this.watch(frame, frame, ['change', 'click'], ['change']);
		}
		const field = E('select', { id: this.id(), name: o.name, class: 'cbi-input-select', disabled: this.flag('disabled'), size: o.size });
		if (o.optional) field.append(E('option', { value: '' }, [this.choices[''] ?? o.placeholder ?? _('-- Please choose --')]));
		for (const key of keys) field.append(E('option', { value: key, selected: key === this.value ? '' : null }, [this.choices[key]]));
		return this.watch(E('div', { id: o.id }, [field]), field, ['change', 'click', 'blur'], ['change']);
	},

	getValue() {
		if (this.options.widget === 'radio') return this.node.querySelector('input:checked')?.value ?? null;
		return this.node.firstChild.value;
	},

	setValue(value) {
		if (this.options.widget === 'radio') this.node.querySelectorAll('input').forEach((i) => { i.checked = i.value === value; });
		else this.node.firstChild.value = value ?? '';
	},
});

const Dropdown = AbstractElement.extend({
	__name__: 'Dropdown',

	__init__(value, choices, options) {
		this.values = L.toArray(Array.isArray(value) ? value : value === null || value === undefined || value === '' ? [] : [String(value)]);
		this.choices = { ...choices };
		this.options = { optional: true, multiple: false, create: false, ...options };
	},

	render() {
		const o = this.options;
		for (const value of this.values) this.choices[value] ??= value;
		const keys = ordered(this.choices, o.sort);
		for (const value of this.values) if (!keys.includes(value)) keys.push(value);
		this.list = E('ul', {}, keys.filter((k) => k !== '').map((key) => this.item(key)));
		if (o.create) {
			this.list.append(E('li', { 'data-value': '-' }, [E('input', {
				type: 'text', class: 'create-item-input', placeholder: o.custom_placeholder ?? _('-- custom --'),
				keydown: (ev) => { if (ev.key === 'Enter') { ev.preventDefault(); this.create(ev.target); } },
			})]));
		}
		const frame = E('div', {
			id: o.id, class: 'cbi-dropdown', tabindex: 0, disabled: this.flag('disabled'), multiple: this.flag('multiple'),
		}, [this.list, E('span', { class: 'open' }, ['▾'])]);
		frame.addEventListener('click', (ev) => {
			if (o.disabled || ev.target.matches('input')) return;
			const item = ev.target.closest('li[data-value]');
			if (frame.hasAttribute('open') && item && item.dataset.value !== '-') this.choose(item);
			else frame.toggleAttribute('open');
		});
		document.addEventListener('click', (ev) => { if (!frame.contains(ev.target)) frame.removeAttribute('open'); });
		// what validation looks at
		Object.defineProperty(frame, 'value', { get: () => L.toArray(this.getValue()).join(' ') });
		this.node = frame;
		this.show();
		return this.watch(frame, frame, ['cbi-dropdown-change', 'blur'], ['cbi-dropdown-change']);
	},

	item(key) {
		const label = this.choices[key];
		return E('li', { 'data-value': key, selected: this.values.includes(key) ? '' : null }, [dom.elem(label) ? label.cloneNode(true) : label]);
	},

	create(input) {
		const value = input.value.trim();
		if (!value) return;
		let item = [...this.list.children].find((li) => li.dataset.value === value);
		if (!item) {
			this.choices[value] = value;
			item = this.item(value);
			this.list.insertBefore(item, input.parentNode);
		}
		input.value = '';
		if (!item.hasAttribute('selected')) this.choose(item);
	},

	choose(item) {
		if (this.options.multiple) item.toggleAttribute('selected');
		else {
			for (const other of this.list.children) other.removeAttribute('selected');
			item.setAttribute('selected', '');
			this.node.removeAttribute('open');
		}
		this.show();
		const detail = { instance: this, element: this.node, value: { value: item.dataset.value, text: item.textContent.trim(), element: item } };
		this.node.dispatchEvent(new CustomEvent('cbi-dropdown-change', { bubbles: true, detail }));
	},

	show() {
		this.list.querySelector('li[placeholder]')?.remove();
		if (![...this.list.children].some((li) => li.hasAttribute('selected'))) {
			this.list.prepend(E('li', { placeholder: '' }, [this.options.select_placeholder ?? _('-- Please choose --')].flat()));
		}
	},

	chosen() { return [...this.list.children].filter((li) => li.hasAttribute('selected')).map((li) => li.dataset.value); },
	getValue() { return this.options.multiple ? this.chosen() : this.chosen()[0] ?? ''; },

	setValue(value) {
		const wanted = [value ?? []].flat().map(String);
		for (const one of wanted) {
			if (one === '' || [...this.list.children].some((li) => li.dataset.value === one)) continue;
			this.choices[one] = one;
			this.list.append(this.item(one));
		}
		for (const li of this.list.children) li.toggleAttribute('selected', wanted.includes(li.dataset.value));
		this.show();
	},
});

const Combobox = Dropdown.extend({
	__name__: 'Combobox',
	__init__(value, choices, options) {
		this.super('__init__', [value, choices, { ...options, multiple: false, create: true }]);
	},
});

/** A button with a choice of what it does; shown is the first. */
const ComboButton = AbstractElement.extend({
	__name__: 'ComboButton',

	__init__(value, choices, options) {
		Object.assign(this, { value, choices, options });
	},

	render() {
		const o = this.options;
		const items = Object.entries(this.choices).map(([key, text]) => E('li', {
			'data-value': key, display: key === this.value ? '0' : null, selected: key === this.value ? '' : null,
			class: o.classes?.[key],
		}, [text].flat()));
		const frame = E('div', {
			id: o.id, class: `cbi-dropdown ${o.classes?.[this.value] ?? 'btn'}`, tabindex: 0, disabled: o.disabled ? '' : null,
			click: (ev) => {
				if (o.disabled) return;
				if (ev.target.closest('.open')) return void frame.toggleAttribute('open');
				const item = ev.target.closest('li[data-value]') ?? items[0];
				frame.removeAttribute('open');
				o.click?.(ev, item.dataset.value);
			},
		}, [E('ul', {}, items), E('span', { class: 'open', tabindex: -1 }, ['▾'])]);
		this.node = frame;
		dom.bindClassInstance(frame, this);
		return frame;
	},
});

const DynamicList = AbstractElement.extend({
	__name__: 'DynamicList',

	__init__(values, choices, options) {
		this.values = L.isObject(values) ? Object.values(values) : values === null || values === undefined || values === '' ? [] : [values];
		this.choices = choices;
		this.options = { ...options, multiple: false, optional: true };
	},

	render() {
		const o = this.options;
		this.list = E('div', { id: o.id, class: 'cbi-dynlist', disabled: this.flag('disabled') });
		let field;
		if (this.choices) {
			this.box = new Combobox(null, this.choices, { ...o, id: null, select_placeholder: o.placeholder });
			field = this.box.render();
			field.addEventListener('cbi-dropdown-change', (ev) => {
				ev.stopPropagation();
				this.add(ev.detail.value.value, ev.detail.value.text);
				this.box.setValue(null);
			});
			this.list.append(E('div', { class: 'add-item control-group' }, [field]));
		} else {
			field = E('input', { id: this.id(), type: 'text', class: 'cbi-input-text', placeholder: o.placeholder, disabled: this.flag('disabled') });
			this.list.append(E('div', { class: 'add-item control-group' }, [field, E('div', { class: 'btn cbi-button cbi-button-add', click: () => this.take(field) }, ['+'])]));
			field.addEventListener('keydown', (ev) => { if (ev.key === 'Enter') { ev.preventDefault(); this.take(field); } });
			if (o.datatype || o.validate) {
				const check = validation.create(field, o.datatype ?? 'string', true, o.validate);
				for (const name of ['blur', 'keyup']) field.addEventListener(name, check);
			}
		}
		for (const value of this.values) this.add(value, this.choices?.[value]);
		this.list.addEventListener('keydown', (ev) => {
			const item = ev.target.closest('.item');
			if (item && !o.disabled && ['Backspace', 'Delete'].includes(ev.key)) this.drop(item);
		});
		this.list.addEventListener('click', (ev) => { if (ev.target.matches('.item > .remove') && !o.disabled) this.drop(ev.target.parentNode); });
		// as with LuCI, the list as a whole is checked as an empty text
		return this.watch(this.list, this.list, ['cbi-dynlist-change'], ['cbi-dynlist-change']);
	},

	take(field) {
		if (this.options.disabled || !field.value || field.classList.contains('cbi-input-invalid')) return;
		this.add(field.value);
		field.value = '';
	},

	add(value, text) {
		if (!this.options.allowduplicates && this.items().includes(String(value))) return;
		const label = dom.elem(text) ? text.cloneNode(true) : text ?? value;
		this.list.insertBefore(E('div', { class: 'item', tabindex: 0 }, [
			E('span', {}, [label]), E('input', { type: 'hidden', value }), E('span', { class: 'remove', 'aria-hidden': true }),
		]), this.list.lastElementChild);
		this.tell();
	},

	drop(item) {
		item.remove();
		this.tell();
	},

	tell() {
		this.node?.dispatchEvent(new CustomEvent('cbi-dynlist-change', { bubbles: true }));
	},

	items() { return [...this.list.querySelectorAll('.item > input[type=hidden]')].map((i) => i.value); },

	/** What is typed and not yet added counts, too. */
	getValue() {
		const field = this.list.querySelector('.add-item > input');
		const typed = field?.value && !field.classList.contains('cbi-input-invalid') ? [field.value] : [];
		return [...this.items(), ...typed];
	},

	setValue(values) {
		this.list.querySelectorAll('.item').forEach((i) => i.remove());
		for (const value of [values ?? []].flat()) this.add(value, this.choices?.[value]);
	},
});

const Hiddenfield = AbstractElement.extend({
	__name__: 'Hiddenfield',

	render() {
		this.node = E('input', { id: this.options.id, type: 'hidden', value: this.value });
		dom.bindClassInstance(this.node, this);
		return this.node;
	},

	getValue() { return this.node.value; },
	setValue(value) { this.node.value = value; },
});

return baseclass.extend({ AbstractElement, Textfield, Textarea, Checkbox, Select, Dropdown, Combobox, ComboButton, DynamicList, Hiddenfield });

'use strict';
'require baseclass';
'require rpc';

// Stands in for LuCI's uci.js: configs as they are, with changes kept here until `save` stages them at rpcd. Written from its
// documented behaviour, for tests only.

const call = (method, params, expect) => rpc.declare({ object: 'uci', method, params, expect, reject: true });
const get = call('get', ['config'], { values: {} });
const add = call('add', ['config', 'type', 'name', 'values'], { section: '' });
const set = call('set', ['config', 'section', 'values']);
const remove = call('delete', ['config', 'section', 'options']);
const order = call('order', ['config', 'sections']);
const apply = call('apply', ['timeout', 'rollback']);
const confirm = call('confirm', []);
const changes = call('changes', [], { changes: {} });

return baseclass.extend({
	__init__() {
		// config -> { values, created, changed: { section: { option: value or null } }, deleted: Set, reordered }
		this.configs = {};
		this.serial = 0;
	},

	async load(names) {
		const wanted = L.toArray(names).filter((name) => !this.configs[name]?.values);
		await Promise.all(wanted.map(async (name) => {
			// asked for twice at the same time, it is loaded once
			const loading = this.configs[name]?.loading ?? get(name);
			(this.configs[name] ??= {}).loading = loading;
			try {
				const values = await loading;
				this.configs[name] = this.configs[name]?.values ? this.configs[name] : { values, created: {}, changed: {}, deleted: new Set(), reordered: false };
			} catch (e) {
				delete this.configs[name];
				throw e;
			}
		}));
		if (wanted.length) document.dispatchEvent(new CustomEvent('uci-loaded'));
		return wanted;
	},

	unload(names) {
		for (const name of L.toArray(names)) delete this.configs[name];
	},

	resolveSID(config, sid) {
		const m = typeof sid === 'string' ? /^@([\w-]+)\[(-?\d+)\]$/.exec(sid) : null;
		if (!m) return sid;
		const found = this.sections(config, m[1]);
		return found[+m[2] >= 0 ? +m[2] : found.length + +m[2]]?.['.name'] ?? null;
	},

	sections(config, type, each) {
		const c = this.configs[config];
		if (!c?.values) return [];
		const all = [...Object.values(c.values).filter((s) => !c.deleted.has(s['.name'])), ...Object.values(c.created)]
			.filter((s) => !type || s['.type'] === type)
			.map((s) => {
				const merged = { ...s, ...c.changed[s['.name']] };
				for (const key of Object.keys(merged)) if (merged[key] === null) delete merged[key];
				return merged;
			})
			.sort((a, b) => a['.index'] - b['.index']);
		if (each) for (const section of all) each(section, section['.name']);
		return all;
	},

	get(config, sid, option) {
		const name = this.resolveSID(config, sid);
		const section = name ? this.sections(config).find((s) => s['.name'] === name) : null;
		if (!section) return null;
		return option === undefined || option === null ? section : section[option] ?? null;
	},

	get_bool(config, sid, option) {
		return ['1', 'on', 'true', 'yes', 'enabled'].includes(this.get(config, sid, option));
	},

	get_first(config, type, option) {
		const [first] = this.sections(config, type);
		return first ? this.get(config, first['.name'], option) : null;
	},

	set(config, sid, option, value) {
		const c = this.configs[config];
		const name = this.resolveSID(config, sid);
		if (!c?.values || !name || !option || option.startsWith('.') || c.deleted.has(name)) return;
		const gone = value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length);
		if (c.created[name]) {
			if (gone) delete c.created[name][option]; else c.created[name][option] = value;
		} else if (c.values[name]) {
			const before = c.values[name][option];
			const own = (c.changed[name] ??= {});
			if (gone ? before === undefined : JSON.stringify(before) === JSON.stringify(value)) delete own[option];
			else own[option] = gone ? null : value;
			if (!Object.keys(own).length) delete c.changed[name];
		}
	},

	set_first(config, type, option, value) {
		const [first] = this.sections(config, type);
		if (first) this.set(config, first['.name'], option, value);
	},

	unset(config, sid, option) { this.set(config, sid, option, null); },
	unset_first(config, type, option) { this.set_first(config, type, option, null); },

	add(config, type, name) {
		const c = this.configs[config];
		const sid = name || `new${(++this.serial).toString(16).padStart(6, '0')}`;
		c.created[sid] = { '.type': type, '.name': sid, '.create': name, '.anonymous': !name, '.index': 1000 + this.serial };
		return sid;
	},

	remove(config, sid) {
		const c = this.configs[config];
		const name = this.resolveSID(config, sid);
		if (c.created[name]) delete c.created[name];
		else if (c.values[name]) {
			delete c.changed[name];
			c.deleted.add(name);
		}
	},

	move(config, sid, other, after) {
		const all = this.sections(config);
		const moved = all.findIndex((s) => s['.name'] === sid);
		if (moved < 0) return false;
		const [section] = all.splice(moved, 1);
		const at = other === null || other === undefined ? all.length : all.findIndex((s) => s['.name'] === other) + (after ? 1 : 0);
		all.splice(at, 0, section);
		const c = this.configs[config];
		all.forEach((s, i) => { (c.created[s['.name']] ?? c.values[s['.name']])['.index'] = i; });
		c.reordered = true;
		return true;
	},

	/** Stages all changes, then loads anew what was changed. */
	async save() {
		const touched = [];
		for (const [config, c] of Object.entries(this.configs)) {
			if (!c.values) continue;
			let any = c.reordered;
			for (const section of Object.values(c.created)) {
				const values = Object.fromEntries(Object.entries(section).filter(([k]) => !k.startsWith('.')));
				const given = await add(config, section['.type'], section['.create'], values);
				section['.name'] = given;
				any = true;
			}
			for (const [sid, options] of Object.entries(c.changed)) {
				const values = Object.fromEntries(Object.entries(options).filter(([, v]) => v !== null));
				const gone = Object.keys(options).filter((k) => options[k] === null);
				if (gone.length) await remove(config, sid, gone);
				if (Object.keys(values).length) await set(config, sid, values);
				any = true;
			}
			for (const sid of c.deleted) {
				await remove(config, sid);
				any = true;
			}
			if (c.reordered) {
				const all = [...Object.values(c.values), ...Object.values(c.created)].filter((s) => !c.deleted.has(s['.name']));
				await order(config, all.sort((a, b) => a['.index'] - b['.index']).map((s) => s['.name']));
			}
			if (any) touched.push(config);
		}
		this.unload(touched);
		return this.load(touched);
	},

	changes: () => changes(),
	/** Applies what is staged, and confirms it: rejected with a status when that cannot be done in time. */
	async apply(timeout) {
		const seconds = typeof timeout === 'number' && timeout >= 1 ? timeout : 10;
		await apply(seconds, true);
		const end = Date.now() + 1000 * seconds;
		for (;;) {
			await new Promise((done) => setTimeout(done, 250));
			try {
				return await confirm();
			} catch (e) {
				if (Date.now() > end) throw e;
			}
		}
	},
});

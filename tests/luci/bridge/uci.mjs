// UCI files, and what rpcd's `uci` object does with them: changes are staged for each session, `get` shows them already,
// `commit` writes them. A stand-in for libuci and rpcd's uci plugin, as far as LuCI's pages use these.

import { readFileSync, writeFileSync, renameSync, readdirSync, existsSync, statSync, chmodSync } from 'node:fs';
import { join } from 'node:path';

export const OK = 0, INVALID = 2, NOT_FOUND = 4, NO_DATA = 5, DENIED = 6;

/** The words of each line; quotes and backslashes as libuci takes them. Values may run over several lines. */
function* lines(text) {
	let words = [], word = null, quote = null;
	const end = () => { if (word !== null) { words.push(word); word = null; } };
	for (let i = 0; i < text.length; i++) {
		const c = text[i];
		if (quote === "'") {
			if (c === "'") quote = null; else word += c;
		} else if (c === '\\' && i + 1 < text.length) {
			i++;
			if (text[i] !== '\n') word = (word ?? '') + text[i];
		} else if (quote === '"') {
			if (c === '"') quote = null; else word += c;
		} else if (c === "'" || c === '"') {
			quote = c;
			word ??= '';
		} else if (c === '\n' || c === ';') {
			end();
			if (words.length) yield words;
			words = [];
		} else if (c === ' ' || c === '\t' || c === '\r') {
			end();
		} else if (c === '#' && word === null) {
			while (i + 1 < text.length && text[i + 1] !== '\n') i++;
		} else {
			word = (word ?? '') + c;
		}
	}
	if (quote !== null) throw new Error('a quote is not closed');
	end();
	if (words.length) yield words;
}

/** As libuci does it, an unnamed section's name depends on its place and on what is in it. */
function anonymousName(index, type) {
	let hash = 5381;
	for (const c of type) hash = (hash * 33 + c.codePointAt(0)) & 0xffff;
	return `cfg${(index + 1).toString(16).padStart(2, '0')}${hash.toString(16).padStart(4, '0')}`;
}

/** Sections in order: { type, name, anonymous, options: { name: text or [texts] } } */
export function parse(text) {
	const sections = [];
	for (const [word, ...rest] of lines(text)) {
		const section = sections.at(-1);
		if (word === 'config' && rest.length >= 1 && rest.length <= 2) {
			const name = rest[1] || anonymousName(sections.length, rest[0]);
			sections.push({ type: rest[0], name, anonymous: !rest[1], options: {} });
		} else if (word === 'option' && section && rest.length === 2) {
			section.options[rest[0]] = rest[1];
		} else if (word === 'list' && section && rest.length === 2) {
			const old = section.options[rest[0]];
			section.options[rest[0]] = [...(old === undefined ? [] : [old].flat()), rest[1]];
		} else if (word !== 'package') {
			throw new Error(`cannot be read at '${word} ${rest.join(' ')}'`);
		}
	}
	return sections;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function print(sections) {
	let out = '';
	for (const { type, name, anonymous, options } of sections) {
		out += `\nconfig ${type}${anonymous ? '' : ` ${quoted(name)}`}\n`;
		for (const [option, value] of Object.entries(options)) {
			const word = Array.isArray(value) ? 'list' : 'option';
			for (const one of [value].flat()) out += `\t${word} ${option} ${quoted(one)}\n`;
		}
	}
	return out + '\n';
}

const shown = (section, index) => ({
	'.anonymous': section.anonymous,
	'.type': section.type,
	'.name': section.name,
	'.index': index,
	...section.options,
});

const isName = (text) => typeof text === 'string' && /^[A-Za-z0-9_]+$/.test(text);
const isType = (text) => typeof text === 'string' && /^[\x21-\x7e]+$/.test(text);

export class Uci {
	/** @param {string} folder what /etc/config is on a router */
	constructor(folder) {
		this.folder = folder;
		this.staged = new Map();
		this.rollback = null;
	}

	file(config) {
		return join(this.folder, config);
	}

	configs() {
		return readdirSync(this.folder).filter((name) => /^[A-Za-z0-9_-]+$/.test(name)).sort();
	}

	/** Sections as they are on disk. Missing: null. */
	read(config) {
		if (typeof config !== 'string' || !/^[A-Za-z0-9_-]+$/.test(config) || !existsSync(this.file(config))) return null;
		return parse(readFileSync(this.file(config), 'utf8'));
	}

	write(config, sections) {
		const file = this.file(config);
		const mode = statSync(file).mode & 0o777;
		writeFileSync(`${file}.new`, print(sections), { mode });
		chmodSync(`${file}.new`, mode);
		renameSync(`${file}.new`, file);
	}

	#key(session, config) {
		return `${session} ${config}`;
	}

	/** What the session sees. */
	view(session, config) {
		return this.staged.get(this.#key(session, config))?.sections ?? this.read(config);
	}

	/** For a change: a copy that is the session's own, and the list of its changes. */
	stage(session, config) {
		const key = this.#key(session, config);
		if (!this.staged.has(key)) {
			const sections = this.read(config);
			if (!sections) return null;
			this.staged.set(key, { config, session, sections, changes: [] });
		}
		return this.staged.get(key);
	}

	get(session, { config, section, option, type, match }) {
		const sections = this.view(session, config);
		if (!sections) return [NOT_FOUND];
		if (section === undefined) {
			const fits = (s) => (type === undefined || s.type === type)
				&& Object.entries(match ?? {}).every(([k, v]) => s.options[k] === v);
			return [OK, { values: Object.fromEntries(sections.map((s, i) => [s, i]).filter(([s]) => fits(s))
				.map(([s, i]) => [s.name, shown(s, i)])) }];
		}
		const index = sections.findIndex((s) => s.name === section);
		if (index < 0) return [NOT_FOUND];
		if (option === undefined) return [OK, { values: shown(sections[index], index) }];
		const value = sections[index].options[option];
		return value === undefined ? [NOT_FOUND] : [OK, { value }];
	}

	#set(staged, section, values) {
		for (const [option, given] of Object.entries(values ?? {})) {
			if (option.startsWith('.')) continue;
			if (!isName(option)) return INVALID;
			const text = (v) => (typeof v === 'boolean' ? String(Number(v)) : String(v));
			if (Array.isArray(given)) {
				if (section.options[option] !== undefined) staged.changes.push(['remove', section.name, option]);
				delete section.options[option];
				const list = given.map(text).filter((v) => v !== '');
				for (const v of list) staged.changes.push(['list-add', section.name, option, v]);
				if (list.length) section.options[option] = list;
			} else if (given === '' || given === null) {
				if (section.options[option] !== undefined) staged.changes.push(['remove', section.name, option]);
				delete section.options[option];
			} else if (section.options[option] !== text(given)) {
				section.options[option] = text(given);
				staged.changes.push(['set', section.name, option, text(given)]);
			}
		}
		return OK;
	}

	set(session, { config, section, values }) {
		const staged = this.stage(session, config);
		const found = staged?.sections.find((s) => s.name === section);
		if (!found) return [NOT_FOUND];
		return [this.#set(staged, found, values)];
	}

	add(session, { config, type, name, values }) {
		if (!isType(type) || (name !== undefined && name !== null && !isName(name))) return [INVALID];
		const staged = this.stage(session, config);
		if (!staged) return [NOT_FOUND];
		const made = { type, name: name || anonymousName(staged.sections.length, `${type}${Math.random()}`), anonymous: !name, options: {} };
		staged.sections.push(made);
		staged.changes.push(['add', made.name, type]);
		const status = this.#set(staged, made, values);
		return status === OK ? [OK, { section: made.name }] : [status];
	}

	delete(session, { config, section, option, options }) {
		const staged = this.stage(session, config);
		const found = staged?.sections.find((s) => s.name === section);
		if (!found) return [NOT_FOUND];
		const names = options ?? (option === undefined ? null : [option]);
		if (names === null) {
			staged.sections = staged.sections.filter((s) => s !== found);
			staged.changes.push(['remove', section]);
			return [OK];
		}
		for (const one of names) {
			if (found.options[one] === undefined) continue;
			delete found.options[one];
			staged.changes.push(['remove', section, one]);
		}
		return [OK];
	}

	rename(session, { config, section, option, name }) {
		const staged = this.stage(session, config);
		const found = staged?.sections.find((s) => s.name === section);
		if (!found) return [NOT_FOUND];
		if (!isName(name)) return [INVALID];
		if (option === undefined) {
			found.name = name;
			found.anonymous = false;
			staged.changes.push(['rename', section, name]);
		} else {
			const renamed = Object.entries(found.options).map(([k, v]) => [k === option ? name : k, v]);
			found.options = Object.fromEntries(renamed);
			staged.changes.push(['rename', section, option, name]);
		}
		return [OK];
	}

	order(session, { config, sections: names }) {
		const staged = this.stage(session, config);
		if (!staged || !Array.isArray(names)) return [staged ? INVALID : NOT_FOUND];
		const place = (s) => { const i = names.indexOf(s.name); return i < 0 ? names.length : i; };
		const before = staged.sections.map((s) => s.name);
		staged.sections = [...staged.sections].sort((a, b) => place(a) - place(b));
		staged.sections.forEach((s, i) => {
			if (before[i] !== s.name) staged.changes.push(['order', s.name, String(i)]);
		});
		return [OK];
	}

	changes(session, config) {
		const own = [...this.staged.values()].filter((s) => s.session === session && s.changes.length);
		if (config !== undefined) return [OK, { changes: own.find((s) => s.config === config)?.changes ?? [] }];
		return [OK, { changes: Object.fromEntries(own.map((s) => [s.config, s.changes])) }];
	}

	revert(session, config) {
		this.staged.delete(this.#key(session, config));
		return [OK];
	}

	/** Writes what the session has staged; returns the configs that were written. */
	commit(session, configs) {
		const written = [];
		for (const staged of [...this.staged.values()]) {
			if (staged.session !== session || (configs && !configs.includes(staged.config))) continue;
			if (staged.changes.length) {
				this.write(staged.config, staged.sections);
				written.push(staged.config);
			}
			this.staged.delete(this.#key(session, staged.config));
		}
		return written;
	}

	/** Commits all of the session. With `timeout`, everything is as before unless `confirm` comes in time. */
	apply(session, timeout, reload) {
		if (this.rollback) return [DENIED];
		const own = [...this.staged.values()].filter((s) => s.session === session && s.changes.length);
		if (!own.length) return [NO_DATA];
		const before = own.map((s) => [s.config, readFileSync(this.file(s.config), 'utf8')]);
		const written = this.commit(session);
		if (timeout) {
			const timer = setTimeout(() => {
				this.rollback = null;
				for (const [config, text] of before) writeFileSync(this.file(config), text);
				reload(written);
			}, timeout * 1000);
			timer.unref();
			this.rollback = { session, timer };
		}
		reload(written);
		return [OK];
	}

	confirm(session) {
		if (!this.rollback) return [NO_DATA];
		if (this.rollback.session !== session) return [DENIED];
		clearTimeout(this.rollback.timer);
		this.rollback = null;
		return [OK];
	}
}

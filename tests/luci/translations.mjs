#!/usr/bin/env node
// Texts of the pages and their translations. `node translations.mjs` tells what is missing or wrong, and exits 1 then;
// `--write` brings po/templates/phoneprov.pot up to date, and po/*/phoneprov.po with it: new texts come in untranslated, those
// that are gone go. It finds what LuCI's own scan finds (_() and N_() in scripts, titles and descriptions in the menu and the
// ACL), in the form in which LuCI keeps it.

import { readFileSync, writeFileSync, readdirSync, existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const APP = resolve(dirname(fileURLToPath(import.meta.url)), '../../luci-app');
/** Where the app stands in LuCI's own tree, for the references. */
const HOME = 'applications/luci-app-phoneprov';
const DOMAIN = 'phoneprov';

const walk = (folder) => readdirSync(folder).sort().flatMap((name) => {
	const path = join(folder, name);
	return statSync(path).isDirectory() ? walk(path) : [path];
});

/** Strings, names and signs of a script, each with its line. Comments and regular expressions are left out. */
export function* tokens(text) {
	const rule = /(?<space>\s+|\/\/[^\n]*|\/\*[^]*?\*\/)|(?<string>'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*")|(?<name>[A-Za-z_$][\w$]*|\d[\w.]*)|(?<sign>[^])/gy;
	// after one of these a slash begins a regular expression
	const before = /^(?:[(,=:[!&|?{};+\-*%<>~^]|return|typeof|case|in|of|=>)$/;
	const regex = /\/(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
	let line = 1, last = '', depth = 0;
	const templates = [];
	for (let at = 0; at < text.length;) {
		const begin = at;
		const back = templates.length && text[at] === '}' && templates.at(-1) === depth;
		if (text[at] === '`' || back) {
			// the text of a template, up to its end or to the next ${
			if (back) templates.pop();
			let end = at + 1;
			while (end < text.length && text[end] !== '`' && !text.startsWith('${', end)) end += text[end] === '\\' ? 2 : 1;
			if (text.startsWith('${', end)) templates.push(depth);
			at = end + (text[end] === '`' ? 1 : 2);
			yield { kind: 'template', line };
			last = text[end] === '`' ? ')' : '(';
		} else {
			regex.lastIndex = rule.lastIndex = at;
			const found = (text[at] === '/' && !/^\/[/*]/.test(text.slice(at, at + 2)) && (last === '' || before.test(last)) && regex.exec(text)) || rule.exec(text);
			at += found[0].length;
			const [kind] = Object.entries(found.groups ?? { regex: 1 }).find(([, v]) => v !== undefined);
			if (kind === 'sign' && found[0] === '{') depth++;
			if (kind === 'sign' && found[0] === '}') depth--;
			if (kind !== 'space') {
				yield { kind, text: found[0], line };
				last = kind === 'string' || kind === 'regex' ? ')' : found[0];
			}
		}
		line += text.slice(begin, at).split('\n').length - 1;
	}
}

const NAMED = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', 0: '\0', '\n': '' };

function literal(text) {
	return text.slice(1, -1).replace(/\\(u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|[^])/g,
		(_, c, braced, four, two) => (braced ?? four ?? two) ? String.fromCodePoint(parseInt(braced ?? four ?? two, 16)) : NAMED[c] ?? c);
}

/** Calls of _() and N_(): { line, id, plural, context }. Throws where a text is not written out. */
export function calls(source, file) {
	const all = [...tokens(source)];
	const out = [];
	for (let i = 0; i < all.length; i++) {
		const { kind, text, line } = all[i];
		if (kind !== 'name' || !['_', 'N_'].includes(text) || all[i + 1]?.text !== '(' || ['.', 'function'].includes(all[i - 1]?.text)) continue;
		// the arguments: texts, put together by +, or something else (null)
		const args = [];
		let words = '', plain = true, depth = 0, empty = true;
		for (let k = i + 2; k < all.length; k++) {
			const token = all[k];
			if (depth === 0 && (token.text === ',' || token.text === ')')) {
				if (!empty) args.push(plain ? words : null);
				if (token.text === ')') break;
				[words, plain, empty] = ['', true, true];
				continue;
			}
			empty = false;
			if ('([{'.includes(token.text)) depth++;
			if (')]}'.includes(token.text)) depth--;
			if (token.kind === 'string') words += literal(token.text);
			else if (token.text !== '+') plain = false;
		}
		const [id, plural, context] = text === '_' ? [args[0], undefined, args[1]] : [args[1], args[2], args[3]];
		if (typeof id !== 'string' || plural === null || context === null) throw new Error(`${file}:${line}: ${text}() needs its texts written out`);
		if ([id, plural ?? ''].some((t) => /\s{2}|[\n\t]|^\s|\s$/.test(t))) throw new Error(`${file}:${line}: LuCI takes blanks together; write "${id}" with single ones`);
		out.push({ line, id, plural, context });
	}
	return out;
}

const keyOf = ({ id, context }) => (context === undefined ? '' : `${context}\u0004`) + id;

/** All texts of the app: key to { id, plural, context, places }. */
export function texts(app = APP) {
	const found = new Map();
	const add = (file, entry) => {
		const key = keyOf(entry);
		const known = found.get(key) ?? { ...entry, places: [] };
		if (known.plural !== entry.plural && entry.plural !== undefined) known.plural = entry.plural;
		known.places.push(`${HOME}/${relative(app, file)}:${entry.line}`);
		found.set(key, known);
	};
	for (const file of walk(app)) {
		const source = () => readFileSync(file, 'utf8');
		if (file.endsWith('.js')) for (const call of calls(source(), relative(app, file))) add(file, call);
		if (/\/(?:menu|acl)\.d\/[^/]*\.json$/.test(file)) {
			source().split('\n').forEach((text, i) => {
				for (const [, id] of text.matchAll(/"(?:title|description)"\s*:\s*("(?:[^"\\]|\\.)*")/g)) add(file, { line: i + 1, id: JSON.parse(id) });
			});
		}
	}
	const order = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
	return new Map([...found].sort(([, a], [, b]) => order(a.id, b.id) || order(a.context ?? '', b.context ?? '')));
}

const quoted = (text) => `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;

/** Entries of a .po or .pot file: key to { id, plural, context, strings, flags }, and the header. */
export function parse(text) {
	const entries = new Map();
	let header = '';
	for (const block of text.split(/\n{2,}/)) {
		const entry = { strings: [], flags: [] };
		let field = null;
		const put = (more) => {
			const nth = /^msgstr\[(\d)\]$/.exec(field);
			if (nth) entry.strings[nth[1]] = (entry.strings[nth[1]] ?? '') + more;
			else if (field === 'msgstr') entry.strings[0] = (entry.strings[0] ?? '') + more;
			else entry[{ msgid: 'id', msgid_plural: 'plural', msgctxt: 'context' }[field]] = (entry[{ msgid: 'id', msgid_plural: 'plural', msgctxt: 'context' }[field]] ?? '') + more;
		};
		for (const line of block.split('\n')) {
			if (line.startsWith('#,')) entry.flags.push(...line.slice(2).split(',').map((f) => f.trim()));
			const said = /^(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?)?\s*(".*")\s*$/.exec(line);
			if (!said || line.startsWith('#')) continue;
			field = said[1] ?? field;
			put(JSON.parse(said[2]));
		}
		if (entry.id === '') header = entry.strings[0];
		else if (entry.id !== undefined) entries.set(keyOf(entry), entry);
	}
	return { header, entries };
}

/** A catalogue: `translated(key)` gives the texts, or none for a template. */
function printed(header, all, translated) {
	let out = `msgid ""\nmsgstr ${header.includes('\n') ? `""\n${header.trimEnd().split('\n').map((l) => quoted(`${l}\n`)).join('\n')}` : quoted(header)}\n`;
	for (const [key, { id, plural, context, places }] of all) {
		const strings = translated(key) ?? [];
		out += `\n${[...new Set(places)].map((p) => `#: ${p}\n`).join('')}`;
		if (context !== undefined) out += `msgctxt ${quoted(context)}\n`;
		out += `msgid ${quoted(id)}\n`;
		if (plural === undefined) out += `msgstr ${quoted(strings[0] ?? '')}\n`;
		else out += `msgid_plural ${quoted(plural)}\nmsgstr[0] ${quoted(strings[0] ?? '')}\nmsgstr[1] ${quoted(strings[1] ?? '')}\n`;
	}
	return out;
}

const template = (app) => join(app, `po/templates/${DOMAIN}.pot`);

/** The languages there are, each with its file. */
export function languages(app = APP) {
	return readdirSync(join(app, 'po')).filter((name) => name !== 'templates' && existsSync(join(app, 'po', name, `${DOMAIN}.po`)))
		.map((name) => [name, join(app, 'po', name, `${DOMAIN}.po`)]);
}

/** What is filled in (%s, %d, {mac}), in any order: a translation must have the same. */
const holes = (text) => (text.match(/%(?:[\d.]*[a-zA-Z]|%)|\{[^{}]*\}|<[^<>]*>/g) ?? []).sort().join(' ');

/** What is wrong with the template and the translations, one sentence each. */
export function check(app = APP) {
	const all = texts(app);
	const wrong = [];
	const pot = existsSync(template(app)) ? parse(readFileSync(template(app), 'utf8')).entries : new Map();
	for (const [key, { id, plural, places }] of all) {
		if (!pot.has(key)) wrong.push(`${places[0]}: "${id}" is missing in po/templates/${DOMAIN}.pot`);
		else if (pot.get(key).plural !== plural) wrong.push(`${places[0]}: "${id}" has another plural in po/templates/${DOMAIN}.pot`);
	}
	for (const [key, { id }] of pot) if (!all.has(key)) wrong.push(`po/templates/${DOMAIN}.pot: "${id}" is in no page any more`);
	for (const [language, file] of languages(app)) {
		const { entries } = parse(readFileSync(file, 'utf8'));
		for (const [key, { id, plural }] of all) {
			const entry = entries.get(key);
			const needed = plural === undefined ? 1 : 2;
			if (!entry || entry.flags.includes('fuzzy') || entry.strings.filter(Boolean).length < needed) {
				wrong.push(`po/${language}/${DOMAIN}.po: "${id}" is not translated`);
				continue;
			}
			for (const [i, text] of entry.strings.entries()) {
				if (holes(text) !== holes(i === 0 ? id : plural)) wrong.push(`po/${language}/${DOMAIN}.po: "${text}" fills in other things than "${i === 0 ? id : plural}"`);
			}
		}
		for (const [key, { id }] of entries) if (!all.has(key)) wrong.push(`po/${language}/${DOMAIN}.po: "${id}" is in no page any more`);
	}
	return wrong;
}

function write(app = APP) {
	const all = texts(app);
	writeFileSync(template(app), printed('Content-Type: text/plain; charset=UTF-8', all, () => null));
	for (const [, file] of languages(app)) {
		const { header, entries } = parse(readFileSync(file, 'utf8'));
		writeFileSync(file, printed(header, all, (key) => entries.get(key)?.strings));
	}
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	if (process.argv.includes('--write')) write();
	const wrong = check();
	for (const one of wrong) console.error(one);
	console.log(wrong.length ? `${wrong.length} to do; node tests/luci/translations.mjs --write brings new texts into the files` : `${texts().size} texts, all translated`);
	process.exitCode = wrong.length ? 1 : 0;
}

// Translations: reads the app's .po files. LuCI compiles them to .lmo files and serves those as a script; here the
// script holds the texts themselves.

import { readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

/** { msgid: msgstr, or for plurals [msgstr, …] }; a context stands before the msgid, with U+0004 between. */
export function parsePo(text) {
	const out = {};
	let entry = null, field = null;
	const finish = () => {
		if (!entry?.msgid) return;
		const key = (entry.msgctxt ? `${entry.msgctxt}\u0004` : '') + entry.msgid;
		const plurals = Object.keys(entry).filter((k) => k.startsWith('msgstr[')).sort().map((k) => entry[k]);
		const value = plurals.length ? plurals : entry.msgstr;
		if (!entry.fuzzy && (Array.isArray(value) ? value.every(Boolean) : value)) out[key] = value;
	};
	for (const line of text.split('\n')) {
		const said = /^(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?)?\s*(".*")\s*$/.exec(line);
		if (said) {
			if (said[1]) {
				if (said[1] === 'msgctxt' || (said[1] === 'msgid' && field !== 'msgctxt')) {
					const fuzzy = entry?.pending ?? false;
					if (entry && !entry.pending) finish();
					entry = { fuzzy };
				}
				field = said[1];
				entry[field] = '';
			}
			if (entry && field) entry[field] += JSON.parse(said[2].replaceAll('\t', '\\t'));
		} else {
			if (field) { finish(); entry = null; field = null; }
			if (/^#,.*\bfuzzy\b/.test(line)) entry = { pending: true };
		}
	}
	if (field) finish();
	return out;
}

/** LuCI's own texts that the host page shows, where LuCI brings a catalogue of its own. */
const BASE = {
	de: {
		'Save & Apply': 'Speichern & Anwenden', Save: 'Speichern', Reset: 'Zurücksetzen', Add: 'Hinzufügen', Edit: 'Bearbeiten', Delete: 'Löschen',
		Dismiss: 'Schließen', Close: 'Schließen', Name: 'Name', Yes: 'Ja', No: 'Nein', none: 'keine', Services: 'Dienste', Refreshing: 'Aktualisiere', Paused: 'Angehalten',
		'Unsaved Changes': 'Ungespeicherte Änderungen', 'Save error': 'Fehler beim Speichern', unspecified: 'nicht angegeben', '-- Please choose --': '-- Bitte wählen --',
		'This section contains no values yet': 'Dieser Abschnitt ist noch leer', 'Reveal/hide password': 'Passwort zeigen/verbergen',
		'Configuration changes applied.': 'Die Änderungen sind angewendet.', 'Starting configuration apply…': 'Änderungen werden angewendet …',
		'An error occurred while saving the form:': 'Das Formular kann nicht gespeichert werden:', 'Drag to reorder': 'Ziehen zum Umordnen',
		'Option "%s" contains an invalid input value.': 'Die Option "%s" hat einen ungültigen Wert.', 'Option "%s" must not be empty.': 'Die Option "%s" darf nicht leer sein.',
	},
};

/** A script that gives `_()` and `N_()` the texts of a language. */
export function script(app, language) {
	const file = join(app, 'po', language, 'phoneprov.po');
	const known = /^[a-z]{2}(_[A-Za-z]+)?$/.test(language) && existsSync(file);
	const texts = { ...BASE[language], ...(known ? parsePo(readFileSync(file, 'utf8')) : {}) };
	return `(function (texts) {
	const find = (text, context) => texts[(context == null ? '' : context + '\\u0004') + text];
	window._ = (text, context) => { const t = find(text, context); return (Array.isArray(t) ? t[0] : t) || text; };
	window.N_ = (n, one, many, context) => {
		const t = find(one, context);
		return Array.isArray(t) ? t[n === 1 ? 0 : 1] : n === 1 ? one : many;
	};
})(${JSON.stringify(texts).replaceAll('<', '\\u003c')});\n`;
}

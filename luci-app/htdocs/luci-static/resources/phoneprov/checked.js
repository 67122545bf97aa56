// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require form';
'require phoneprov.agent as agent';

// What `phoneprov check` says of a form: of each value while it is typed, and of the whole before it is saved. LuCI wants
// to know at once whether a value is right, and the agent is asked over the network: so verdicts are kept, the last one
// counts while a new one is on its way, and the field is looked at again when it is there.

const PAUSE = 250;
const VERDICTS = 1000;

const verdicts = new Map();
const waiting = new Map();
const asked = new Set();

const isEmpty = value => value == null || value.length === 0;

function keep(key, verdict) {
	if (verdicts.size >= VERDICTS)
		verdicts.clear();
	verdicts.set(key, verdict);
}

/** Looks at a field again: at the value of the whole, and at the line where an item of a list is typed. */
function again(option, section_id) {
	const element = option.getUIElement(section_id);

	if (!element)
		return;

	element.triggerValidation();
	if (option.checksItems)
		for (const input of element.node?.querySelectorAll('input[type="text"]') ?? [])
			input.dispatchEvent(new Event('keyup'));
}

/** The agent's words, below the field. */
function show(option, section_id, verdict) {
	const frame = option.map.root && option.map.findElement('data-field', option.cbid(section_id));
	const place = frame?.querySelector('.cbi-value-field') ?? frame;

	if (!place)
		return;

	let note = place.querySelector('.phoneprov-refused');

	if (verdict === true) {
		note?.remove();
		return;
	}

	if (!note)
		place.insertBefore(note = E('div', { 'class': 'phoneprov-refused', 'role': 'alert', 'style': 'color:#c00;overflow-wrap:anywhere' }),
			place.querySelector('.cbi-value-description'));
	if (note.textContent != verdict)
		note.textContent = verdict;
}

function ask(option, type, section_id, value, key) {
	waiting.delete(option.cbid(section_id));

	const question = agent.checkValue(type, section_id, option.option, value)
		// without an answer the value is let pass: the whole is checked before anything is saved
		.then(answer => keep(key, answer.ok === true || String(answer.message)), () => {})
		.then(() => {
			asked.delete(question);
			again(option, section_id);
		});

	asked.add(question);
	return question;
}

/** true, a sentence, or undefined while it is not known. */
function verdictOf(option, type, section_id, value) {
	if (isEmpty(value))
		return true;

	const key = JSON.stringify([ type, section_id, option.option, value ]);

	if (verdicts.has(key))
		return verdicts.get(key);

	const field = option.cbid(section_id);
	const before = waiting.get(field);

	if (before?.key == key)
		return undefined;
	if (before)
		window.clearTimeout(before.timer);

	const now = () => ask(option, type, section_id, value, key);

	waiting.set(field, { key, now, timer: window.setTimeout(now, PAUSE) });
	return undefined;
}

/** Section by section, as LuCI has it: with changes that are saved, and not yet applied. */
function stored(data, config) {
	return data.sections(config).map(section => ({
		type: section['.type'],
		name: section['.name'],
		anonymous: section['.anonymous'] === true,
		options: Object.fromEntries(Object.entries(section).filter(([ name, value ]) => !name.startsWith('.') && !isEmpty(value)))
	}));
}

/** Calls `visit(option, section_id)` for what the form itself writes: of a grid that is what can be edited in the row. */
function eachField(map, visit) {
	for (const section of map.children)
		for (const section_id of section.cfgsections())
			for (const o of section.children)
				if (!(section instanceof form.GridSection) || (o.editable && !o.modalonly))
					visit(o, section_id);
}

/** Section by section, as it would be after the form is saved: what is stored, and over it what the fields say. */
function candidate(map) {
	const sections = new Map(stored(map.data, map.config).map(section => [ section.name, section ]));

	const apply = (o, section_id) => {
		const options = sections.get(section_id)?.options;

		if (!options || o instanceof form.DummyValue || o instanceof form.Button || o.option.startsWith('_'))
			return;
		if (!o.isActive(section_id)) {
			if (!o.retain)
				delete options[o.option];
			return;
		}

		const value = o.formvalue(section_id);

		if (isEmpty(value) || (value == o.default && (o.optional || o.rmempty)))
			delete options[o.option];
		else
			options[o.option] = value;
	};

	eachField(map, apply);

	return [ ...sections.values() ];
}

/** What is wrong with single fields, in the agent's words. */
function refusals(map) {
	const refused = [];

	eachField(map, (o, section_id) => {
		if (o.isActive(section_id) && !o.isValid(section_id))
			refused.push({ message: o.getValidationError(section_id), fatal: true });
	});

	return refused;
}

function settled() {
	for (const { timer, now } of [ ...waiting.values() ]) {
		window.clearTimeout(timer);
		now();
	}

	return Promise.all([ ...asked ]).then(() => waiting.size || asked.size ? settled() : undefined);
}

return baseclass.extend({
	/** Has a field checked by the agent while it is typed. */
	attach(option, type, isList) {
		option.checksItems = isList;
		option.validate = function(section_id, value) {
			let said;

			if (!this.checksItems) {
				said = verdictOf(this, type, section_id, value);
				if (said === undefined)
					said = this.saidLast?.[section_id] ?? true;
				else
					(this.saidLast ??= {})[section_id] = said;
			}
			else if (!isEmpty(value)) {
				// an item that is being typed (once it is in the list, it is looked at there), or all that is chosen in a drop-down
				said = verdictOf(this, type, section_id, this instanceof form.MultiValue ? L.toArray(value) : [ value ]) ?? true;
			}
			else {
				said = verdictOf(this, type, section_id, L.toArray(this.formvalue(section_id) ?? this.cfgvalue(section_id))) ?? true;
			}

			show(this, section_id, said);
			return said;
		};
	},

	/** Takes in what the agent said of sections as they are stored, so that it is not asked again for each field. */
	seed(sections, problems) {
		for (const { type, name, options } of sections)
			for (const [ option, value ] of Object.entries(options))
				if (!problems.some(problem => problem.section == name && problem.option == option))
					keep(JSON.stringify([ type, name, option, value ]), true);
	},

	stored,
	candidate,

	/** Resolves when no field waits for a verdict. */
	settled,

	/**
	 * Has the whole checked before `map` is saved. `report(problems, refused)` shows what the agent says; with anything
	 * fatal nothing is saved. `always`: also for saves that LuCI does on its own, as a dialog's.
	 */
	guard(map, report, always) {
		const save = map.save;

		map.save = function(callback, silent) {
			if (silent && !always)
				return save.call(this, callback, silent);

			return settled().then(() => refusals(this)).then(refused => refused.length ? refused : agent.check(candidate(this)).then(
				answer => answer.problems ?? [],
				error => [ { message: error.message, fatal: true } ]
			)).then(problems => {
				const fatal = problems.filter(problem => problem.fatal).map(problem => problem.message);

				report(problems, fatal.length > 0);
				if (fatal.length)
					throw new Error(fatal.join('\n'));

				return save.call(this, callback, silent);
			});
		};
	},

	/** A list of what the agent says of a config, to be put on a page. Nothing where there is nothing to say. */
	problems(problems, refused) {
		if (!problems.length)
			return E([]);

		const fatal = problems.filter(problem => problem.fatal);
		const rest = problems.filter(problem => !problem.fatal);
		const list = some => E('ul', { 'style': 'list-style:none;margin:0;padding:0;overflow-wrap:anywhere' }, some.map(problem => E('li', {}, [ problem.message ])));

		return E([], [
			fatal.length ? E('div', { 'class': 'alert-message error', 'role': 'alert' }, E('div', {}, [
				E('h4', {}, [ refused ? _('Not saved: the agent refuses this') : _('With these settings, the agent does not start') ]),
				list(fatal)
			])) : '',
			rest.length ? E('div', { 'class': 'alert-message warning', 'role': 'status' }, E('div', {}, [
				E('h4', {}, [ _('Worth a look') ]),
				list(rest)
			])) : ''
		]);
	}
});

// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require form';
'require uci';
'require phoneprov.agent as agent';
'require phoneprov.checked as checked';
'require phoneprov.fields as fields';

// Where a page with a form has its values from: UCI for who may write, and for others what the agent shows of its config,
// which has no password in it. Both with what the agent says of them.

const CONFIG = 'phoneprov';

// As LuCI's form for data of one's own takes them. What it makes of a section without a name is its own affair.
function forLooking(sections) {
	const data = {};

	for (const { type, name, options, provpass_set } of sections)
		(data[type] ??= []).push(Object.assign({}, options,
			name == null ? {} : { '.name': name },
			type == 'agent' ? { _provpass: provpass_set ? '1' : '' } : {}));

	return data;
}

class Source {
	constructor(readonly, options) {
		this.readonly = readonly;
		this.errors = options.error ? [ options.error ] : [];
		this.table = new fields.Table(options);
		this.sections = [];
		this.problems = [];
	}

	/** A form of it. */
	map(title) {
		const map = this.readonly ? new form.JSONMap(forLooking(this.sections), title) : new form.Map(CONFIG, title);

		map.readonly = this.readonly;
		return map;
	}

	/** The one section of a type: by its usual name, or else the first, as the agent takes it. Where there is none, one is made when the form is saved. */
	single(map, type, name) {
		const names = map.data.sections(map.config, type).map(section => section['.name']);

		if (names.length)
			return names.includes(name) ? name : names[0];
		return map.data.add(map.config, type, name);
	}

	/** What stands above the form: what went wrong, and that nothing can be changed. */
	head() {
		return E([], [
			...this.errors.map(error => E('div', { 'class': 'alert-message error', 'role': 'alert' }, [ error.message ])),
			this.readonly ? E('p', {}, [ E('em', {}, [ _('Your login may look at the settings, but not change them.') ]) ]) : ''
		]);
	}
}

return baseclass.extend({
	/** Resolves to the source; `packages` are other UCI configs that the page reads, for who may write. */
	open(...packages) {
		const readonly = !agent.mayWrite();

		return agent.options().catch(error => ({ error })).then(options => {
			const source = new Source(readonly, options);

			if (readonly)
				return Promise.all([ agent.config(), agent.check() ]).then(([ config, answer ]) => {
					source.sections = config.sections ?? [];
					source.problems = answer.problems ?? [];
				}, error => source.errors.push(error)).then(() => source);

			return uci.load([ CONFIG, ...packages ]).then(() => {
				source.sections = checked.stored(uci, CONFIG);
				return agent.check(source.sections);
			}).then(answer => {
				source.problems = answer.problems ?? [];
				checked.seed(source.sections, source.problems);
			}, error => source.errors.push(error)).then(() => source);
		});
	}
});

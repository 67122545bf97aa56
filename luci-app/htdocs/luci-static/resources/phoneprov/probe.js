// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require ui';
'require phoneprov.agent as agent';

// The agent plays a phone on its own network: it asks, is told an address, and fetches what is there. Each step is shown when
// it is done.

const names = {
	phone: _('Phone'),
	vendor: _('Brand'),
	SUBSCRIBE: _('Asks the network (SUBSCRIBE)'),
	NOTIFY: _('Is told the address (NOTIFY)'),
	GET: _('Fetches (GET)')
};

function line(ok, name, text) {
	const [ mark, word, color ] = ok === true ? [ '✔', _('done'), '#080' ] : ok === false ? [ '✘', _('failed'), '#c00' ] : [ 'ℹ', _('note'), 'inherit' ];

	return E('li', { 'style': 'color:inherit;overflow-wrap:anywhere' }, [
		E('span', { 'style': `color:${color}`, 'role': 'img', 'aria-label': word, 'title': word }, [ mark ]), ' ',
		E('strong', {}, [ name ]), ': ', text
	]);
}

class Card {
	constructor({ brands, devices, disabled }) {
		this.brands = brands;
		this.select = E('select', { 'id': 'phoneprov-probe-brand', 'class': 'cbi-input-select', 'disabled': disabled ? '' : null },
			brands.map(([ name, label ]) => E('option', { 'value': name }, [ label ])));
		// asked there where the agent serves; with one network there is nothing to choose
		this.device = devices?.length > 1
			? E('select', { 'id': 'phoneprov-probe-device', 'class': 'cbi-input-select', 'disabled': disabled ? '' : null },
				devices.map(name => E('option', { 'value': name }, [ name ])))
			: { value: devices?.[0] };
		this.button = E('button', {
			'class': 'btn cbi-button cbi-button-action',
			'disabled': disabled || !brands.length ? '' : null,
			'click': ui.createHandlerFn(this, 'run')
		}, [ _('Test') ]);
		this.steps = E('ol', { 'aria-label': _('Steps'), 'style': 'list-style:none;margin:.5em 0 0 0;padding:0' });
		this.end = E('div', { 'role': 'status' });
		this.shown = 0;
	}

	render() {
		return E('div', { 'class': 'cbi-section' }, [
			E('h3', {}, [ _('Test') ]),
			E('div', { 'class': 'cbi-section-descr' }, [
				_('The router plays a phone on its own network, and shows how far it gets. It tests what is saved and applied.')
			]),
			this.brands.length ? '' : E('p', {}, [ E('em', {}, [ _('No brand is served yet.') ]) ]),
			E('div', {}, [
				E('label', { 'for': 'phoneprov-probe-brand' }, [ _('Play a phone of') ]), ' ',
				this.select, ' ',
				...(this.device instanceof Element ? [ E('label', { 'for': this.device.id }, [ _('on') ]), ' ', this.device, ' ' ] : []),
				this.button
			]),
			this.steps,
			this.end
		]);
	}

	add(steps) {
		for (const step of steps.slice(this.shown))
			this.steps.appendChild(line(step.ok === true, names[step.step] ?? step.step, step.text));
		this.shown = Math.max(this.shown, steps.length);
	}

	run() {
		this.shown = 0;
		this.steps.replaceChildren();
		this.end.replaceChildren(E('em', { 'class': 'spinning' }, [ _('Testing…') ]));

		return agent.probe(this.select.value, undefined, this.device.value, job => this.add(job.steps ?? [])).then(result => {
			this.add(result.steps ?? []);
			for (const note of result.notes ?? [])
				this.steps.appendChild(line(null, _('Note'), note));
			this.say(result.ok === true, result.ok === true
				? _('A phone of this brand gets its config.')
				: _('A phone of this brand does not get its config: see the step that failed.'));
		}, error => {
			this.add(error.steps ?? []);
			this.say(false, error.message);
		});
	}

	say(ok, text) {
		this.end.replaceChildren(E('div', { 'class': `alert-message ${ok ? 'success' : 'error'}` }, [ text ]));
	}
}

return baseclass.extend({
	/**
	 * A section of a page. `brands`: pairs of a section's name and what it is called; `devices`: names of those that the
	 * agent serves; `disabled` for who may only look.
	 */
	card(options) {
		return new Card(options).render();
	}
});

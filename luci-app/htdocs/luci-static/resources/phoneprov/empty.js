// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require phoneprov.page as page';
'require phoneprov.summary as summary';

// What stands where no phone has shown up yet: what is needed for that, and whether it is there.

const el = page.el;

return baseclass.extend({
	list(state) {
		const entry = ({ ok, text }) => el('li', {},
			ok == null ? page.mark('info', _('to look at')) : page.mark(ok ? 'good' : 'bad', ok ? _('good') : _('missing')),
			el('span', {}, text));

		return page.box('info', { 'data-key': 'empty', 'role': 'region', 'aria-label': _('No phone yet') },
			el('h4', {}, state.status ? _('No phone has been seen yet') : _('Phones are shown while the service runs')),
			el('p', {}, _('What a phone needs to show up here:')),
			el('ul', { 'class': 'pp-steps' }, summary.checklist(state).map(entry)),
			state.write && state.status && !state.probe && el('p', {}, page.button('action', _('Try it without a phone'), { 'data-do': 'probe' })));
	}
});

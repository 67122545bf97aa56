// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require phoneprov.words as words';

// What came of an action, for the screen: `{ tone, lines }` of the agent's answer. `nameOf` names a phone where the answer
// is about several.

const MANY = 20;

function cut(lines, all) {
	const rest = (all ?? lines.length) - Math.min(lines.length, MANY);

	return rest > 0 ? [ ...lines.slice(0, MANY), _('And more: %d').format(rest) ] : lines;
}

function done(result, nameOf, words) {
	const { count, list } = result.configs ?? { count: 0, list: [] };
	const lines = (list ?? []).map(entry => [ nameOf(entry.mac), [ entry.name, entry.result ].filter(text => text).join(': ') ].filter(text => text).join(' '));

	return [ words.format(count), ...cut(lines, count) ];
}

return baseclass.extend({
	refresh(result) {
		if (result.started != null)
			return { tone: 'info', lines: [ _('Configs that are being asked for: %d. The list shows how it goes.').format(result.started) ] };

		const entries = (result.configs ?? []).map(words.refreshed);

		return {
			tone: entries.some(entry => entry.ok) ? 'good' : 'warn',
			lines: entries.length ? entries.map(entry => entry.text) : [ _('It has asked for no config yet, so there is nothing to refresh.') ]
		};
	},

	resync(result, nameOf) {
		const phones = result.phones ?? [];
		const failed = phones.filter(phone => phone.result != 'accepted');

		if (!nameOf && phones.length == 1) {
			const one = words.resynced(phones[0]);

			return { tone: one.ok ? 'good' : 'bad', lines: [ one.text ] };
		}
		return {
			tone: failed.length ? 'warn' : 'good',
			lines: [ _('Phones that accepted: %d of %d').format(phones.length - failed.length, phones.length),
				...cut(failed.map(phone => [ nameOf?.(phone.mac) ?? phone.mac, phone.result ].join(': '))) ]
		};
	},

	accept(result, nameOf) {
		const lines = done(result, nameOf, _('Accepted: %d. The phones get it when they next ask; Resync tells them now.'));

		if (result.open_minutes)
			lines.push(_('For %d minutes further changes of accounts pass without a check.').format(result.open_minutes));
		return { tone: 'good', lines };
	},

	reject(result, nameOf) {
		const before = result.passed_before ?? [];
		const lines = done(result, nameOf, _('Rejected: %d. The phones keep their last good.'));

		if (before.length)
			lines.push(_('These phones got a changed account before the guard held. Look at them, and roll back where it is wrong: %s').format(before.map(nameOf).join(', ')));
		return { tone: before.length ? 'warn' : 'good', lines };
	},

	rollback(result, nameOf) {
		const failed = result.failed ?? [];
		const lines = done(result, nameOf, _('Rolled back: %d. The phones get it when they next ask; Resync tells them now.'));

		lines.push(...cut(failed.map(entry => _('Not rolled back: %s').format([ nameOf(entry.mac) || entry.mac, entry.name, entry.why ].filter(text => text).join(' ')))));
		return { tone: failed.length ? 'warn' : 'good', lines };
	},

	forget() {
		return { tone: 'good', lines: [ _('The phone is forgotten, and its configs are removed from the router.') ] };
	},

	admit(enrol, state) {
		return enrol.open_until
			? { tone: 'good', lines: [ _('New phones are let in until %s. Restart a phone: it asks when it starts.').format(words.clock(enrol.open_until, state.now)) ] }
			: { tone: 'good', lines: [ _('The door is closed: new phones are not let in.') ] };
	}
});

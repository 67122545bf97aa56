// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';

// What the agent says in figures and short names, in words. Pure: no request, no element. What comes from the agent (names,
// addresses, models, clauses) is put into sentences as it is, so that whoever shows them makes text nodes of them.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const known = value => value != null && value !== '';

// The agent's own fixed sentences about a phone without a config.
const noConfig = reason => {
	switch (reason) {
	case 'it has not asked for its config yet':
		return _('It has not asked for its config yet.');
	case 'it is not enrolled (option enrol)':
		return _('It has asked, but is not admitted.');
	case null:
	case undefined:
		return '';
	default:
		return reason;
	}
};

const reasonWords = reason => {
	switch (reason) {
	case 'down':
		return _('the provider cannot be reached');
	case 'refused':
		return _('the provider refuses it');
	case 'gone':
		return _('the provider does not have it');
	case 'broken':
		return _('what the provider sends is not readable for this phone');
	case 'held':
		return _('the new one is held back');
	case 'pinned':
		return _('an older one is pinned');
	default:
		return known(reason) ? reason : '';
	}
};

const withWhy = (words, why) => !known(why) || why === words ? words : words ? words + ' (' + why + ')' : why;

const heldWords = held => {
	if (held?.rejected)
		return _('The provider still has what was rejected. The phone keeps its last good.');
	switch (held?.account) {
	case 'lost':
		return _('The new config has no account any more. The phone keeps its last good.');
	case 'changed':
		return _('The new config has another account. The phone keeps its last good.');
	default:
		return _('A new config waits. The phone keeps the one it has.');
	}
};

return baseclass.extend({
	/**
	 * Seconds as a length of time: `5 min`.
	 */
	duration(seconds) {
		const n = Math.max(0, Math.floor(seconds));

		if (n < MINUTE)
			return _('%d s').format(n);
		if (n < HOUR)
			return _('%d min').format(Math.floor(n / MINUTE));
		if (n < 2 * DAY)
			return _('%d h').format(Math.floor(n / HOUR));
		return _('%d d').format(Math.floor(n / DAY));
	},

	/** How long ago `time` was at `now`, both Unix seconds. */
	ago(time, now) {
		if (!time)
			return _('never');
		if (now - time < MINUTE)
			return _('just now');
		return _('%s ago').format(this.duration(now - time));
	},

	/** Date and time of day, in the language of the page. */
	moment(time) {
		if (!time)
			return '';
		return new Date(time * 1000).toLocaleString(document.documentElement.lang || undefined, {
			dateStyle: 'medium', timeStyle: 'medium'
		});
	},

	/** Time of day; with the date where that is not today. */
	clock(time, now) {
		const at = new Date(time * 1000);
		const today = at.toDateString() == new Date(now * 1000).toDateString();
		const language = document.documentElement.lang || undefined;

		return today ? at.toLocaleTimeString(language, { timeStyle: 'medium' })
			: at.toLocaleString(language, { dateStyle: 'short', timeStyle: 'medium' });
	},

	/** Bytes. */
	size(bytes) {
		if (bytes == null)
			return '';
		if (bytes < 1024)
			return _('%d B').format(bytes);
		if (bytes < 1024 * 1024)
			return _('%s KiB').format((bytes / 1024).toFixed(bytes < 10240 ? 1 : 0));
		return _('%s MiB').format((bytes / 1048576).toFixed(1));
	},

	/** Vendor and model of a phone. */
	phoneName(phone) {
		const vendor = this.vendor(phone.vendor);
		const model = phone.model ?? '';

		if (model.toLowerCase().startsWith(vendor.toLowerCase()))
			return model;
		return [ vendor, model ].filter(known).join(' ');
	},

	/** The brand's own spelling of its name. */
	vendor(name) {
		const spelled = {
			mitel: 'Mitel', yealink: 'Yealink', grandstream: 'Grandstream', fanvil: 'Fanvil', htek: 'Htek', gigaset: 'Gigaset',
			panasonic: 'Panasonic', polycom: 'Polycom', akuvox: 'Akuvox', cisco: 'Cisco'
		};

		return Object.hasOwn(spelled, name) ? spelled[name] : String(name ?? '');
	},

	seenBy(ways) {
		const names = { pnp: _('PnP'), dhcp: _('DHCP'), http: _('HTTP') };

		return [ 'pnp', 'dhcp', 'http' ].filter(way => ways?.includes(way)).map(way => names[way]);
	},

	/**
	 * The state of a CONFIG: `{ group, tone, label, text }`. `group` is what the list can be narrowed to, `tone` is one of
	 * good, warn, bad, info and off, `label` two or three words, `text` a sentence or nothing.
	 */
	config(config) {
		const reason = withWhy(reasonWords(config?.reason), config?.why);

		switch (config?.state) {
		case 'fresh':
			return { group: 'good', tone: 'good', label: _('Up to date'), text: '' };
		case 'unchanged':
			return { group: 'good', tone: 'good', label: _('Up to date'), text: '' };
		case 'last-good':
			return { group: 'last-good', tone: 'warn', label: _('Last good'), text: reason };
		case 'held':
			return {
				group: 'held', tone: 'bad', label: config.held?.rejected ? _('Rejected') : _('Held back'),
				text: heldWords(config.held)
			};
		case 'pinned':
			return {
				group: 'pinned', tone: 'info', label: _('Pinned'),
				text: known(config.pinned) ? _('It is kept at generation %d until you accept the new one.').format(config.pinned)
					: _('It is kept at an older generation until you accept the new one.')
			};
		case 'stored':
			return {
				group: 'stored', tone: 'off', label: _('Stored'),
				text: _('Not asked for since the agent started.')
			};
		case 'refused':
			return { group: 'door', tone: 'warn', label: _('Not admitted'), text: noConfig(config.reason) };
		case 'none':
			return {
				group: 'none', tone: known(config.name) ? 'bad' : 'off', label: _('None yet'),
				text: known(config.name) ? reason : noConfig(config.reason)
			};
		default:
			return { group: 'none', tone: 'off', label: String(config?.state ?? _('Unknown')), text: reason };
		}
	},

	heldWords,
	reasonWords,

	/** What `refresh` says of one config: `fresh`, `last-good; reason=down`, or a text. */
	refreshed(entry) {
		const lastGood = /^last-good(?:; reason=([a-z]+))?/.exec(entry.result ?? '');
		let words;

		if (entry.result == 'fresh')
			words = _('there was a new one; it is stored');
		else if (entry.result == 'unchanged')
			words = _('the provider has the same one');
		else if (lastGood)
			words = _('it stays at its last good: %s').format(withWhy(reasonWords(lastGood[1]), entry.why));
		else
			words = withWhy(entry.result ?? '', entry.why);

		return { ok: entry.result == 'fresh' || entry.result == 'unchanged', text: entry.name + ': ' + words };
	},

	/** What a phone said to `resync`. */
	resynced(entry) {
		return {
			ok: entry.result == 'accepted',
			text: entry.result == 'accepted' ? _('The phone has accepted it.') : _('The phone did not accept it: %s').format(entry.result)
		};
	},

	kind(kind) {
		const names = {
			pnp: _('PnP'), dhcp: _('DHCP'), config: _('Config'), guard: _('Guard'), upstream: _('Provider'), store: _('Storage'),
			device: _('Network'), phone: _('Phone'), agent: _('Agent')
		};

		return Object.hasOwn(names, kind) ? names[kind] : String(kind ?? '');
	},

	kinds: [ 'pnp', 'dhcp', 'config', 'guard', 'upstream', 'store', 'device', 'phone', 'agent' ]
});

// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';

// The events that the page has seen. The agent keeps the newest few hundred and counts them from 1 at each start; the page
// keeps what it saw over that, and notes where a start or a gap lies between.

const KEEP = 3000;

return baseclass.extend({
	__init__() {
		// { key, event } or { key, note: 'restart' | 'gap', time }
		this.lines = [];
		this.last = null;
		this.run = 0;
	},

	note(what, time) {
		this.lines.push({ key: what + this.run + ' ' + time + ' ' + this.lines.length, note: what, time });
	},

	/** Takes the agent's events, oldest first; says how many of them are new. */
	take(events) {
		const newest = events[events.length - 1];

		if (!newest)
			return 0;

		if (this.last) {
			const again = events.find(event => event.seq == this.last.seq);
			const restarted = newest.seq < this.last.seq || (again && (again.time != this.last.time || again.text != this.last.text))
				|| (!again && newest.seq > this.last.seq && events[0].seq == 1);

			if (restarted) {
				this.run++;
				this.last = null;
				this.note('restart', events[0].time);
			}
			else if (events[0].seq > this.last.seq + 1)
				this.note('gap', events[0].time);
		}

		const fresh = events.filter(event => !this.last || event.seq > this.last.seq);

		for (const event of fresh)
			this.lines.push({ key: this.run + ':' + event.seq, event });
		this.last = newest;
		this.lines.splice(0, this.lines.length - KEEP);
		return fresh.length;
	},

	clear() {
		this.lines = [];
	}
});

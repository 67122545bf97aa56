// The Phones tab: what it shows in each state of the office, live, and what it does with many phones and hostile names.

import assert from 'node:assert/strict';
import { atDesk } from '../fixtures/desk.mjs';

const SNOM = '00:04:13:aa:bb:01';
const MITEL = '00:08:5d:cc:dd:02';

/** The line of a phone: the first row that has its MAC, below which its story may be another one. */
const line = (desk, mac) => desk.row(new RegExp(mac)).first();
const story = (desk, mac) => desk.page.getByRole('region', { name: `Story of ${mac}` });
const open = (desk, mac) => line(desk, mac).getByRole('button', { expanded: false }).click();
const region = (desk, name) => desk.page.getByRole('region', { name, exact: true });

/** Puts other phones into the answers of the agent, on their way to the page. */
async function pretend(desk, change) {
	await desk.page.route((url) => /\/ubus/.test(url.pathname), async (route) => {
		const asked = route.request().postDataJSON();
		const response = await route.fetch();
		const answer = await response.json();
		const calls = [asked].flat(), answers = [answer].flat();
		calls.forEach((call, i) => {
			const [, object, method, args] = call.params ?? [];
			if (object === 'phoneprov' && answers[i].result) change(method, answers[i].result[1], args);
		});
		await route.fulfill({ response, json: answer });
	});
	return () => desk.page.unrouteAll({ behavior: 'ignoreErrors' });
}

const phone = (n, more = {}) => ({
	mac: `00:04:13:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`, vendor: 'snom', model: 'D785',
	firmware: '10.1.169.16', ip: `192.168.${1 + (n >> 8)}.${n & 255}`, hostname: `desk-${n}`, first_seen: 1795302257, last_seen: 1795302257,
	seen_by: ['pnp', 'http'], conflict: null,
	config: { name: 'settings.php', state: n % 7 ? 'unchanged' : 'last-good', reason: n % 7 ? null : 'down', why: null, sha256: 'a', size: 1000,
		stored_at: 1795302257, confirmed_at: 1795302257, served_at: null, generations: 1, pinned: null, held: null, on_flash: true }, ...more,
});

atDesk('first start: it says what is missing and leads to the settings', { scene: 'nothing' }, async (desk) => {
	await desk.open('phones');
	await desk.sees('First steps');
	await desk.sees('Switched off', region(desk, 'Service'));
	await desk.sees('Not set', region(desk, 'Provider'));
	await region(desk, 'Provider').getByRole('link', { name: 'Open Settings' }).click();
	await desk.page.waitForURL(/phoneprov\/settings/);
});

atDesk('two phones: a line each, with all that is known', { scene: 'two', namespaces: true }, async (desk, office) => {
	await desk.open('phones');
	await desk.sees('Running', region(desk, 'Service'));
	await desk.sees('Reachable', region(desk, 'Provider'));
	await desk.sees('Known: 2', region(desk, 'Phones'));
	await desk.sees(/192\.168\.1\.1\/24/, region(desk, 'Network'));
	for (const [mac, words] of [[SNOM, ['snom D785', '10.1.169.16']], [MITEL, ['Mitel 6869i', '4.2.0.181']]]) {
		const { ip } = office.phones.find((p) => p.mac === mac);
		for (const text of [...words, ip, mac, /PnP, HTTP/, 'Up to date', 'just now']) await desk.sees(text, line(desk, mac));
	}
	await desk.picture('phones');
});

atDesk('a story: what the phone did, was told, and what is stored', { scene: 'two' }, async (desk, office) => {
	await office.upstream.revise();
	await office.phones[0].boot();
	await desk.open('phones');
	await open(desk, SNOM);
	const it = story(desk, SNOM);
	await desk.sees(/asked by PnP, was told http:\/\/192\.168\.1\.1/, it);
	await desk.sees(/took the URL/, it);
	const [now, before] = (await office.ask('phone', SNOM)).configs[0].generations === 2 ? [2, 1] : [];
	assert.equal(now, 2, 'the new revision is a generation');
	const rows = it.getByRole('row');
	await desk.sees('In use', rows.nth(1));
	await desk.sees(/setting/, rows.nth(1));
	await desk.sees('the oldest one', rows.nth(2));
	assert.equal(await rows.nth(2).getByRole('cell').first().textContent(), String(before));
	await desk.picture('phones-story');
});

atDesk('one phone on its last good: the state, and why', { scene: 'lastGood' }, async (desk) => {
	await desk.open('phones');
	await desk.sees('Down', region(desk, 'Provider'));
	await desk.sees('Last good', line(desk, SNOM));
	await desk.sees(/the provider cannot be reached/, line(desk, SNOM));
	await desk.sees('Up to date', line(desk, MITEL));
	await desk.sees('On their last good: 1', region(desk, 'Phones'));
});

atDesk('guard holding: what it is, and what each way out does', { scene: 'holding' }, async (desk) => {
	await desk.open('phones');
	const guard = region(desk, 'Guard');
	await desk.sees('The guard holds changes back', guard);
	await desk.sees('Phones whose new config waits: 2. They keep working with their last good.', guard);
	for (const name of ['Accept all', 'Reject all', 'Roll back all']) assert.equal(await desk.button(name, guard).count(), 1, name);
	await desk.button('Show these phones', guard).click();
	assert.equal(await desk.page.getByRole('table', { name: 'Phones' }).getByText('Held back').filter({ visible: true }).count(), 2);
	await desk.gone('Up to date');
	await desk.page.getByRole('table', { name: 'Phones' }).getByRole('button', { expanded: false }).first().click();
	const held = desk.page.getByRole('region', { name: /^Story of/ }).getByRole('row').filter({ hasText: 'Held back' });
	await desk.sees(/another account/, held);
	await desk.look('phones-guard');
});

atDesk('it is live: states, events and ages come by themselves, and what is open and focused stays', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await open(desk, SNOM);
	const it = story(desk, SNOM);
	await desk.sees('What it did and was told', it);
	const restart = it.getByRole('button', { name: `Restart ${SNOM}` });
	await restart.focus();
	const before = await restart.elementHandle();
	await office.upstream.be('refuse');
	await office.phones[0].boot();
	await desk.sees('Last good', line(desk, SNOM));
	await desk.sees(/the provider refuses it/, line(desk, SNOM));
	await desk.sees(/last good/i, it);
	assert.equal(await before.evaluate((node) => node.isConnected && document.activeElement === node), true, 'the focus was lost');
	// a new phone
	await office.plug('snom', 9);
	await desk.sees('00:04:13:aa:bb:09');
	assert.equal(await before.evaluate((node) => document.activeElement === node), true);
});

atDesk('the clock of the computer is not that of the router: ages are right', { scene: 'two' }, async (desk, office) => {
	await desk.page.clock.install({ time: new Date('2031-01-01T00:00:00Z') });
	await desk.open('phones');
	for (const { mac } of office.phones) await desk.sees('just now', line(desk, mac));
});

atDesk('nobody there: what to look at, and a test', { scene: 'two' }, async (desk, office) => {
	await office.ask('forget', 'all');
	await desk.open('phones');
	await desk.sees('No phone has been seen yet');
	await desk.sees(/It serves phones on: br-lan \(192\.168\.1\.1\/24\)/);
	await desk.sees(/snom, Mitel/);
	await desk.look('phones-empty');
	await desk.button('Try it without a phone').click();
	await desk.button('Test').last().click();
	await desk.sees(/SUBSCRIBE/);
	await desk.sees('A phone of this brand gets its config.');
	await desk.look('phones-test');
});

atDesk('the list can be searched and narrowed', { scene: 'holding', namespaces: true }, async (desk) => {
	await desk.open('phones');
	const lines = () => desk.page.getByRole('table', { name: 'Phones' }).getByRole('button', { expanded: false });
	assert.equal(await lines().count(), 4);
	const search = desk.page.getByLabel('Search phones');
	for (const [text, n] of [['mitel', 1], ['00:04:13', 3], ['000413aabb03', 1], ['192.168.1.22', 1], ['held back', 2], ['nothing such', 0]]) {
		await search.fill(text);
		assert.equal(await lines().count(), n, text);
	}
	await desk.sees('No phone matches.');
	await desk.button('Show all').click();
	assert.equal(await lines().count(), 4);
	await desk.page.getByLabel('Show', { exact: true }).selectOption('held');
	assert.equal(await lines().count(), 2);
});

atDesk('a user who may only look sees all, and no button that does something', { scene: 'holding', user: 'reader' }, async (desk) => {
	await desk.open('phones', 'reader');
	await desk.sees('Your login may look at this page, but not change anything.');
	await desk.sees('The guard holds changes back');
	await open(desk, SNOM);
	await desk.sees(/took the URL/, story(desk, SNOM));
	for (const name of [/^Refresh/, /^Resync/, /^Restart/, /^Forget/, /^Accept/, /^Reject/, /^Roll back/, /^Stop/, /^Start/, /^Test/, /at boot/])
		assert.equal(await desk.page.getByRole('button', { name }).count(), 0, String(name));
});

atDesk('a phone names itself in HTML: it is text in each place', { scene: 'two' }, async (desk) => {
	const evil = '<img src=x onerror="window.hit=1">';
	const end = await pretend(desk, (method, result) => {
		const poison = (p) => Object.assign(p, { model: evil, firmware: evil, hostname: evil, conflict: { text: evil, at: 1 } },
			p.events && { events: p.events.map((e) => ({ ...e, text: evil })) },
			p.configs && { configs: p.configs.map((c) => ({ ...c, name: evil, why: evil, list: [{ number: 1, size: 1, stored_at: 1, current: true, difference: evil }] })) },
			{ config: { ...p.config, state: 'last-good', reason: evil, why: evil } });
		if (method === 'phones') result.phones.forEach(poison);
		if (method === 'phone') poison(result);
		if (method === 'events') result.events.forEach((e) => { e.text = evil; });
		if (method === 'status') Object.assign(result, { troubles: [evil], upstreams: [{ url: evil, state: 'down', last_error: evil, last_error_at: 1 }] });
	});
	await desk.open('phones');
	await desk.sees(evil, line(desk, SNOM));
	await open(desk, SNOM);
	await desk.sees(evil, story(desk, SNOM));
	await story(desk, SNOM).getByRole('button', { name: /^Forget/ }).click();
	await desk.sees(evil, desk.dialog());
	await desk.button('Cancel', desk.dialog()).click();
	await desk.open('log');
	await desk.sees(evil);
	assert.equal(await desk.page.locator('img[src="x"]').count(), 0);
	assert.equal(await desk.page.evaluate(() => window.hit), undefined);
	await end();
});

atDesk('300 phones: all are there, and a round that changes one makes one line anew', { scene: 'two' }, async (desk) => {
	const phones = Array.from({ length: 300 }, (_, n) => phone(n));
	let model = 'D785';
	const end = await pretend(desk, (method, result, args) => {
		if (method !== 'phones') return;
		// as the plugin does: so many at once, and how many more there are
		const from = args.after ? phones.findIndex((p) => p.mac === args.after) + 1 : 0;
		result.phones = phones.slice(from, from + 120).map((p, i) => (from + i === 250 ? { ...p, model } : p));
		result.more = Math.max(0, phones.length - from - 120);
	});
	await desk.open('phones');
	await desk.sees('All phones (300)', desk.page.getByLabel('Show', { exact: true })).catch(() => {});
	const table = desk.page.getByRole('table', { name: 'Phones' });
	assert.equal(await table.getByRole('button', { expanded: false }).count(), 300);
	await desk.page.evaluate(() => {
		window.touched = new Set();
		new MutationObserver((list) => list.forEach(({ target }) => window.touched.add((target.closest ? target : target.parentElement).closest('tbody')?.dataset.key)))
			.observe(document.querySelector('table.pp-list'), { subtree: true, childList: true, characterData: true, attributes: true });
	});
	model = 'D865';
	await desk.sees('snom D865');
	assert.deepEqual(await desk.page.evaluate(() => [...window.touched]), [phones[250].mac]);
	const took = await desk.page.evaluate(() => {
		const box = document.querySelector('input[type=search]');
		const start = performance.now();
		box.value = 'desk-17';
		box.dispatchEvent(new Event('input', { bubbles: true }));
		return performance.now() - start;
	});
	assert.equal(await table.getByRole('button', { expanded: false }).count(), 11);
	assert.ok(took < 500, `narrowing 300 lines took ${took} ms`);
	await end();
});

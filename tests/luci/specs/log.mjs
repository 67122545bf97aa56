// The Log tab: events as they happen, narrowed, paused, copied; and what is there when the agent starts anew.

import assert from 'node:assert/strict';
import { atDesk } from '../fixtures/desk.mjs';

const SNOM = '00:04:13:aa:bb:01';
const MITEL = '00:08:5d:cc:dd:02';

const table = (desk) => desk.page.getByRole('table', { name: 'Events' });
const lines = async (desk) => (await table(desk).getByRole('row').allInnerTexts()).slice(1).map((text) => text.replace(/\s+/g, ' '));

atDesk('events, newest first or last', { scene: 'two' }, async (desk, office) => {
	await desk.open('log');
	await desk.sees('took the URL');
	const { events } = await office.ask('events');
	const shown = await lines(desk);
	assert.equal(shown.length, events.length);
	events.reverse().forEach((e, i) => assert.ok(shown[i].includes(e.text.replace(/\s+/g, ' ')), `${i}: ${e.text} in ${shown[i]}`));
	await desk.picture('log');
	await desk.button('Newest last').click();
	const turned = await lines(desk);
	assert.deepEqual(turned, shown.reverse());
	await desk.button('Newest first').click();
});

atDesk('it is live, can be paused, and misses nothing meanwhile', { scene: 'two' }, async (desk, office) => {
	await desk.open('log');
	await office.plug('snom', 9);
	await desk.sees(/00:04:13:aa:bb:09/);
	await desk.button('Pause').click();
	const before = await lines(desk);
	await office.plug('snom', 10);
	await desk.sees(/Paused\. New events meanwhile: [1-9]/);
	assert.deepEqual(await lines(desk), before);
	await desk.button('Continue').click();
	await desk.sees(/00:04:13:aa:bb:0a/);
	await desk.becomes(async () => (await lines(desk)).length - (await office.ask('events')).events.length, 0);
});

atDesk('by kind, by phone, and by words', { scene: 'holding' }, async (desk, office) => {
	const { events } = await office.ask('events');
	await desk.open('log');
	await desk.sees('took the URL');
	const kinds = desk.page.getByLabel('Kind of event');
	await kinds.selectOption('Guard');
	assert.equal((await lines(desk)).length, events.filter((e) => e.kind === 'guard').length);
	await kinds.selectOption('All kinds');
	await desk.page.getByLabel('Phone', { exact: true }).selectOption(MITEL);
	assert.equal((await lines(desk)).length, events.filter((e) => e.mac === MITEL).length);
	await kinds.selectOption('PnP');
	assert.equal((await lines(desk)).length, events.filter((e) => e.mac === MITEL && e.kind === 'pnp').length);
	await desk.page.getByLabel('Search events').fill('nothing such');
	await desk.sees('No event matches.');
	await desk.page.getByLabel('Search events').fill('');
	await kinds.selectOption('All kinds');
	// a press on the phone of a line narrows to it, and widens again
	const one = table(desk).getByRole('button', { name: new RegExp(MITEL) }).first();
	await one.click();
	assert.equal((await lines(desk)).length, events.length);
	await one.click();
	assert.equal((await lines(desk)).length, events.filter((e) => e.mac === MITEL).length);
});

atDesk('copy gives what is shown, as lines', { scene: 'two' }, async (desk, office) => {
	// 127.0.0.1 counts as secure, most routers do not: the old way is the one to look at
	await desk.page.addInitScript(() => {
		Object.defineProperty(window, 'isSecureContext', { value: false });
		document.addEventListener('copy', () => { window.copied = document.activeElement.value; });
	});
	await desk.open('log');
	await desk.page.getByLabel('Phone', { exact: true }).selectOption(SNOM);
	await desk.button('Copy').click();
	await desk.sees(/^Copied: \d+/);
	const { events } = await office.ask('events');
	const wanted = events.filter((e) => e.mac === SNOM).reverse().map((e) => `${new Date(e.time * 1000).toISOString()} ${e.kind} ${e.mac} ${e.text}`);
	const copied = (await desk.page.evaluate(() => window.copied)).trim().split('\n');
	assert.deepEqual(copied.sort(), wanted.sort());
	assert.ok(await desk.button('Copy').evaluate((node) => document.activeElement === node), 'the focus is back');
});

atDesk('the agent starts anew: what was seen stays, with a mark between', { scene: 'two' }, async (desk, office) => {
	await desk.open('log');
	await desk.sees('took the URL');
	const before = await lines(desk);
	await office.bridge.service.init('stop');
	await desk.sees(/is not running/);
	await desk.sees('What was seen before stays here. It goes on when the agent runs again.');
	assert.deepEqual(await lines(desk), before);
	await office.bridge.service.init('start');
	await desk.sees('The agent was started anew.');
	await desk.gone(/is not running/);
	await office.phones[0].boot();
	await desk.page.waitForTimeout(3500);
	const { events } = await office.ask('events');
	const now = await lines(desk);
	const mark = now.findIndex((text) => text.includes('The agent was started anew.'));
	assert.equal(mark, events.length, 'newest first: all of the new start stand above the mark');
	assert.deepEqual(now.slice(mark + 1), before);
});

atDesk('from a story to its log', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await desk.row(new RegExp(SNOM)).first().getByRole('button', { expanded: false }).click();
	await desk.page.getByRole('link', { name: 'Show in the log' }).click();
	await desk.page.getByRole('heading', { name: 'Log' }).waitFor();
	await desk.sees('took the URL');
	assert.equal((await lines(desk)).length, (await office.ask('phone', SNOM)).events.length);
});

atDesk('more events than the agent keeps: the gap is marked', { scene: 'two' }, async (desk) => {
	const event = (seq) => ({ seq, time: 1795302257 + seq, kind: 'agent', text: `event ${seq} of many` });
	let from = 1, to = 5;
	await desk.page.route((url) => /\/ubus/.test(url.pathname), async (route) => {
		const calls = [route.request().postDataJSON()].flat();
		const response = await route.fetch();
		const answer = await response.json();
		[answer].flat().forEach(({ result }, i) => {
			if (calls[i].params?.[2] === 'events') result[1].events = Array.from({ length: to - from + 1 }, (_, n) => event(from + n));
		});
		await route.fulfill({ response, json: answer });
	});
	await desk.open('log');
	await desk.sees('event 5 of many');
	[from, to] = [4, 7];
	await desk.sees('event 7 of many');
	assert.equal((await lines(desk)).length, 7);
	[from, to] = [20, 22];
	await desk.sees('event 22 of many');
	assert.match((await lines(desk))[3], /Events are missing here/);
	assert.equal((await lines(desk)).length, 11);
	[from, to] = [1, 2];
	await desk.sees('The agent was started anew.');
	assert.equal((await lines(desk)).length, 14);
	await desk.page.unrouteAll({ behavior: 'ignoreErrors' });
});

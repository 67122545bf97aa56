// What holds for every tab: it opens in each state of the office without a complaint, for whom may only look, in a narrow
// window, and in German; and whoever has no login sees nothing.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, existsSync } from 'node:fs';
import { atDesk, TOGETHER } from '../fixtures/desk.mjs';
import { parsePo } from '../bridge/catalog.mjs';

const APP = new URL('../../../luci-app/', import.meta.url);
const MENU = JSON.parse(readFileSync(new URL('root/usr/share/luci/menu.d/luci-app-phoneprov.json', APP)));
/** The app's tabs by the last word of their path, in the menu's order. */
const TABS = Object.entries(MENU).filter(([, n]) => n.action?.type === 'view')
	.sort(([, a], [, b]) => a.order - b.order).map(([path, n]) => [path.split('/').pop(), n.title])
	.filter(([tab]) => existsSync(new URL(`htdocs/luci-static/resources/view/phoneprov/${tab}.js`, APP)));

/** Opens each tab and lets a round of polling pass. */
async function everyTab(desk, user, each) {
	for (const [tab, title] of TABS) {
		await desk.open(tab, user);
		assert.equal(await desk.page.locator('#tabmenu').getByRole('link', { name: title, exact: true }).count(), 1, `a tab ${title}`);
		await desk.page.waitForTimeout(1100);
		await each?.(tab, title);
	}
}

async function everyTabGerman(desk, english, german) {
	for (const [tab] of TABS) {
		await desk.open(tab);
		await desk.page.waitForTimeout(1500);
		const shown = await desk.page.locator('#view').innerText();
		const left = english.filter((text) => shown.includes(text));
		assert.deepEqual(left, [], `${tab} has English left`);
		assert.ok(german.some((text) => text.length > 5 && shown.includes(text)), `${tab} has no German`);
		await desk.look(`${tab}-german`);
	}
}

describe('every tab', TOGETHER, () => {
	for (const scene of ['nothing', 'two', 'lastGood', 'holding', 'stopped']) {
		atDesk(`every tab opens: ${scene}`, { scene, anywhere: scene === 'two' }, async (desk) => {
			await everyTab(desk, 'root', (tab) => desk.look(`${tab}-${scene}`));
		});
	}

	atDesk('a user who may only look changes nothing', { scene: 'holding' }, async (desk, office) => {
		const before = [office.file('phoneprov'), (await office.ask('status')).guard];
		await everyTab(desk, 'reader', async (tab) => {
			const text = await desk.page.content();
			assert.ok(!text.includes('upstream-secret'), `${tab} shows the password`);
			await desk.look(`${tab}-reader`);
		});
		// what the page does not offer, rpcd does not do either
		const denied = await desk.page.evaluate(async () => {
			const calls = [['phoneprov', 'forget', { mac: 'all' }], ['phoneprov', 'accept', { mac: 'all' }], ['phoneprov', 'admit', { minutes: 5 }],
				['rc', 'init', { name: 'phoneprov', action: 'stop' }], ['uci', 'get', { config: 'phoneprov' }],
				['uci', 'set', { config: 'phoneprov', section: 'main', values: { enabled: '0' } }]];
			const out = [];
			for (const [object, method, args] of calls) {
				const answer = await fetch('/ubus/', { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'call', params: [L.env.sessionid, object, method, args] }) });
				const { error, result } = await answer.json();
				out.push([`${object}.${method}`, error?.code ?? result[0]]);
			}
			return out;
		});
		assert.ok(denied.every(([, code]) => code === -32002 || code === 6), JSON.stringify(denied));
		assert.deepEqual([office.file('phoneprov'), (await office.ask('status')).guard], before);
	});

	atDesk('the password of the upstream is on no page that shows phones', { scene: 'two' }, async (desk) => {
		for (const tab of ['phones', 'log', 'qos'].filter((t) => TABS.some(([have]) => have === t))) {
			await desk.open(tab);
			await desk.page.waitForTimeout(500);
			assert.ok(!(await desk.page.content()).includes('upstream-secret'), tab);
		}
	});

	atDesk('without a login there is only the login', { scene: 'two', anywhere: true }, async (desk) => {
		const answer = await desk.page.goto(`${desk.base}/cgi-bin/luci/admin/services/phoneprov/phones`);
		assert.equal(answer.status(), 403);
		assert.ok(!/00:04:13|phoneprov-luci/.test(await desk.page.content()));
	});

	atDesk('every tab fits a telephone', { scene: 'holding', width: 360, anywhere: true }, async (desk) => {
		await everyTab(desk, 'root', async (tab) => {
			await desk.look(`${tab}-narrow`);
			assert.equal(await desk.overflows(), false, `${tab} is wider than the window`);
		});
	});

	const po = new URL('po/de/phoneprov.po', APP);
	if (existsSync(po)) {
		atDesk('every tab speaks German', { scene: 'holding', office: { language: 'de' } }, async (desk) => {
			const texts = parsePo(readFileSync(po, 'utf8'));
			// texts of one piece that are another text in German, and are long enough to be no part of something else
			const english = Object.entries(texts).filter(([id, text]) => typeof text === 'string' && text !== id && id.length > 12 && !/[%<\u0004]/.test(id)).map(([id]) => id);
			await everyTabGerman(desk, english, Object.values(texts).flat());
		});
	}

	atDesk('what a phone calls itself is text, never part of the page', { scene: 'two' }, async (desk, office) => {
		const evil = '<img src=x onerror=document.title=1>';
		await office.hostname(office.phones[0], evil);
		await everyTab(desk, 'root', async (tab) => {
			assert.equal(await desk.page.locator('#view img[src=x]').count(), 0, `${tab} takes a phone's words for HTML`);
		});
	});
});

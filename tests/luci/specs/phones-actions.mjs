// The Phones tab: each button changes what the agent itself reports, says what came of it, and asks first where it is dangerous.

import assert from 'node:assert/strict';
import { atDesk } from '../fixtures/desk.mjs';

const SNOM = '00:04:13:aa:bb:01';
const MITEL = '00:08:5d:cc:dd:02';

const line = (desk, mac) => desk.row(new RegExp(mac)).first();
const story = (desk, mac) => desk.page.getByRole('region', { name: `Story of ${mac}` });
const open = (desk, mac) => line(desk, mac).getByRole('button', { expanded: false }).click();
const region = (desk, name) => desk.page.getByRole('region', { name, exact: true });
/** What came of an action with this phone, or of one with all. */
const outcome = (desk, mac) => (mac ? desk.page.locator('tbody').filter({ has: desk.page.getByText(mac) }) : desk.page)
	.getByRole('group', { name: 'Result' }).or(desk.page.getByRole('alert', { name: 'Result' }));

async function confirm(desk, title, button) {
	await desk.sees(title, desk.dialog());
	await desk.button(button, desk.dialog()).click();
}

async function declines(desk, title) {
	await desk.sees(title, desk.dialog());
	await desk.page.keyboard.press('Escape');
	await desk.dialog().waitFor({ state: 'hidden' });
}

/** Which phones the guard keeps on their last good, and which got the wrong account before. */
async function sides(office) {
	const { phones } = await office.ask('phones');
	const [held, passed] = [true, false].map((is) => phones.filter((p) => (p.config.held !== null) === is).map((p) => p.mac));
	assert.equal(held.length, 2);
	return { held, passed };
}

const config = async (office, mac) => (await office.ask('phone', mac)).config;

atDesk('refresh asks the provider', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await office.upstream.revise();
	await desk.button(`Refresh ${SNOM}`).click();
	await desk.sees(/there was a new one; it is stored/, outcome(desk, SNOM));
	assert.equal((await config(office, SNOM)).generations, 2);
	assert.equal((await config(office, MITEL)).generations, 1);
	await desk.button(`Refresh ${SNOM}`).click();
	await desk.sees(/the provider has the same one/, outcome(desk, SNOM));
	await desk.button('Dismiss').click();
	await desk.gone(/the provider has the same one/);
});

atDesk('a slow refresh: the button is busy, and what came of it is there in the end', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await office.upstream.be('down');
	const button = desk.button(`Refresh ${SNOM}`);
	await button.click();
	await desk.page.locator('[aria-busy=true]').waitFor();
	await desk.sees(/it stays at its last good: the provider cannot be reached/, outcome(desk, SNOM));
	assert.equal(await button.getAttribute('aria-busy'), null);
});

atDesk('refresh all', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await office.upstream.revise();
	await desk.button('Refresh all').click();
	await desk.sees(/Configs that are being asked for: \d/, outcome(desk));
	await office.until(['phones'], ({ phones }) => phones.every((p) => p.config.generations === 2), 'two generations of each');
});

atDesk('resync and restart reach the phone', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	const asked = office.phones[0].next();
	await desk.button(`Resync ${SNOM}`).click();
	await desk.sees('The phone has accepted it.', outcome(desk, SNOM));
	assert.equal((await asked).why, 'resync');

	await open(desk, SNOM);
	const again = office.phones[0].next();
	await desk.button(`Restart ${SNOM}`).click();
	await desk.sees('Restart', outcome(desk, SNOM));
	await desk.sees('The phone has accepted it.', outcome(desk, SNOM));
	assert.equal((await again).why, 'restart');
});

atDesk('a phone that does not answer: the words of the agent', { scene: 'two' }, async (desk, office) => {
	office.phones[1].end();
	await desk.open('phones');
	await desk.button(`Resync ${MITEL}`).click();
	await desk.sees(/The phone did not accept it: no answer/, outcome(desk, MITEL));
});

atDesk('restart all asks first, and says how many', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await desk.button('Restart all').click();
	await declines(desk, 'Restart all phones?');
	assert.ok(!(await office.ask('events')).events.some((e) => /resync|restart|reboot/i.test(e.text)), 'Escape is no');
	const both = Promise.all(office.phones.map((p) => p.next()));
	await desk.button('Restart all').click();
	await confirm(desk, 'Restart all phones?', 'Restart all');
	await desk.sees('Phones that accepted: 2 of 2', outcome(desk));
	await both;
});

atDesk('accept and reject, one phone each', { scene: 'holding' }, async (desk, office) => {
	const { held } = await sides(office);
	await desk.open('phones');
	await desk.button(`Accept ${held[0]}`).click();
	await desk.sees(/Accepted: 1/, outcome(desk, held[0]));
	assert.equal((await config(office, held[0])).held, null);
	assert.equal((await config(office, held[0])).generations, 2);
	assert.notEqual((await config(office, held[1])).held, null);
	await desk.button(`Reject ${held[1]}`).click();
	await desk.sees(/Rejected: 1/, outcome(desk, held[1]));
	assert.equal((await config(office, held[1])).generations, 1);
	assert.equal((await office.ask('status')).guard.held, 0);
});

for (const [button, said, good] of [
	['Accept all', /Accepted: 2/, async (office, { held }) => {
		assert.equal((await office.ask('status')).guard.state, 'open');
		for (const mac of held) assert.equal((await config(office, mac)).generations, 2);
	}],
	['Reject all', /Rejected: 2/, async (office, { held }) => {
		assert.equal((await office.ask('status')).guard.held, 0);
		for (const mac of held) assert.equal((await config(office, mac)).generations, 1);
	}],
	['Roll back all', /Rolled back: 2/, async (office, { passed }) => {
		for (const mac of passed) assert.equal((await config(office, mac)).pinned, 1);
	}],
]) {
	atDesk(`${button} asks first`, { scene: 'holding' }, async (desk, office) => {
		const two = await sides(office);
		await desk.open('phones');
		const before = (await office.ask('status')).guard;
		const it = () => desk.button(button, region(desk, 'Guard'));
		await it().click();
		await declines(desk, `${button}?`);
		assert.deepEqual({ ...(await office.ask('status')).guard }, before, 'Escape is no');
		await it().click();
		await confirm(desk, `${button}?`, button);
		await desk.sees(said, outcome(desk));
		await good(office, two);
		if (button === 'Accept all') {
			await desk.sees('The guard is open');
			await desk.sees(/For \d+ minutes further changes of accounts pass without a check/, outcome(desk));
		}
		if (button === 'Reject all') for (const mac of two.passed) await desk.sees(new RegExp(mac), outcome(desk));
	});
}

atDesk('roll back: to the one before, and to a generation', { scene: 'two' }, async (desk, office) => {
	for (let n = 0; n < 2; n++) {
		await office.upstream.revise();
		await office.phones[0].boot();
	}
	await office.until(['phone', SNOM], (p) => p.config.generations === 3, 'three generations');
	await desk.open('phones');
	await open(desk, SNOM);
	await desk.button('Roll back to generation 1', story(desk, SNOM)).click();
	await confirm(desk, 'Roll back to generation 1?', 'Roll back');
	await desk.sees(/Rolled back: 1/, outcome(desk, SNOM));
	assert.equal((await config(office, SNOM)).pinned, 1);
	await desk.sees('Pinned', line(desk, SNOM));
	await desk.sees('Pinned', story(desk, SNOM).getByRole('row').nth(3));

	await desk.button(`Accept ${SNOM}`).click();
	await desk.sees(/Accepted: 1/, outcome(desk, SNOM));
	assert.equal((await config(office, SNOM)).pinned, null);
	await desk.button(`Roll back ${SNOM}`).click();
	await desk.sees(/Rolled back: 1/, outcome(desk, SNOM));
	assert.equal((await config(office, SNOM)).pinned, 2);
	await desk.look('phones-pinned');
});

atDesk('forget asks first; the line goes', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await open(desk, MITEL);
	await desk.button(`Forget ${MITEL}`).click();
	await declines(desk, 'Forget this phone?');
	assert.equal((await office.ask('phones')).phones.length, 2);
	await desk.button(`Forget ${MITEL}`).click();
	await confirm(desk, 'Forget this phone?', 'Forget');
	await desk.sees(/The phone is forgotten/, outcome(desk));
	assert.deepEqual((await office.ask('phones')).phones.map((p) => p.mac), [SNOM]);
	await line(desk, MITEL).waitFor({ state: 'hidden' });
});

atDesk('new phones: a door that is opened for a while', { scene: 'two', office: { agent: { enrol: 'window' } } }, async (desk, office) => {
	await desk.open('phones');
	const door = region(desk, 'New phones');
	// both came while it was closed
	await desk.sees('Phones at the door: 2', door);
	await desk.sees('Not admitted', line(desk, SNOM));
	await desk.look('phones-door');
	await desk.button(`Admit ${SNOM}`).click();
	await confirm(desk, 'Open the door for 10 minutes?', 'Open the door');
	await desk.sees(/New phones are let in until/, outcome(desk, SNOM));
	const { enrol } = await office.ask('status');
	assert.ok(Math.abs(enrol.open_until - Date.now() / 1000 - 600) < 30, JSON.stringify(enrol));
	await office.phones[0].boot();
	await desk.sees('Up to date', line(desk, SNOM));

	await desk.button('Close the door', door).click();
	await desk.sees('The door is closed: new phones are not let in.', outcome(desk));
	assert.equal((await office.ask('status')).enrol.open_until, null);
	await desk.page.getByLabel('Open for').selectOption('60 min');
	await desk.button('Open the door', door).click();
	await desk.sees(/New phones are let in until/, outcome(desk));
	assert.ok((await office.ask('status')).enrol.open_until - Date.now() / 1000 > 3500);
});

atDesk('new phones: a list in the settings', { scene: 'two', office: { agent: { enrol: 'list' } } }, async (desk, office) => {
	await desk.open('phones');
	await desk.button(`Admit ${MITEL}`).click();
	await confirm(desk, 'Add this phone to the settings?', 'Admit');
	await desk.sees(/It is in the settings now/, outcome(desk, MITEL));
	assert.deepEqual(office.section('phone').options, { mac: MITEL, vendor: 'mitel' });
	await desk.page.waitForTimeout(1500);
	await office.phones[1].boot();
	assert.notEqual((await config(office, MITEL)).state, 'refused');
	assert.equal((await config(office, SNOM)).state, 'refused');
	await desk.sees('Up to date', line(desk, MITEL));
});

atDesk('what the agent refuses reaches the screen in its words, and stays when it dies', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await open(desk, SNOM);
	// the page has not noticed yet that there is nothing behind the line any more
	await desk.page.evaluate(() => { L.Poll.stop(); });
	await office.ask('forget', SNOM);
	await desk.button(`Resync ${SNOM}`).click();
	await desk.page.getByRole('alert').filter({ hasText: /Resync.*(not known|no phone|address)/s }).waitFor();

	await desk.page.evaluate(() => { L.Poll.start(); });
	await desk.button(`Refresh ${MITEL}`).click();
	await desk.sees(/the provider has the same one/, outcome(desk, MITEL));
	await office.bridge.service.init('stop');
	await desk.sees('The agent does not run');
	await desk.sees(/the provider has the same one/, outcome(desk, MITEL));
	await desk.button(`Refresh ${MITEL}`).click();
	await desk.sees(/is not running/, outcome(desk, MITEL));
	assert.equal(await desk.row(new RegExp(MITEL)).count() > 0, true, 'the list stays');
});

// The service on the Phones tab: started, stopped and switched at boot, with what is so afterwards; and what the page says
// when it cannot start or dies.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atDesk } from '../fixtures/desk.mjs';

const SNOM = '00:04:13:aa:bb:01';

const region = (desk, name) => desk.page.getByRole('region', { name, exact: true });
const service = (desk) => region(desk, 'Service');
const outcome = (desk) => desk.page.getByRole('group', { name: 'Result' }).or(desk.page.getByRole('alert', { name: 'Result' }));
const press = (desk, name) => desk.button(name, service(desk)).click();

atDesk('stopped: it says so, and starts it', { scene: 'stopped' }, async (desk, office) => {
	await desk.open('phones');
	await desk.sees('Stopped', service(desk));
	await desk.sees('The agent does not run');
	await desk.look('phones-stopped');
	await press(desk, 'Start');
	await desk.sees('The service runs.', outcome(desk));
	assert.equal(office.bridge.service.running, true);
	await desk.sees('Running', service(desk));
	await desk.gone('The agent does not run');
	// from flash
	await desk.sees(SNOM);
	await desk.sees('Stored', desk.row(new RegExp(SNOM)).first());
});

atDesk('stop asks first; the list stays as it was', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await press(desk, 'Stop');
	await desk.sees('Stop the service?', desk.dialog());
	await desk.page.keyboard.press('Escape');
	assert.equal(office.bridge.service.running, true);
	await press(desk, 'Stop');
	await desk.button('Stop', desk.dialog()).click();
	await desk.sees(/The service has stopped/, outcome(desk));
	assert.equal(office.bridge.service.running, false);
	await desk.sees('Stopped', service(desk));
	await desk.sees(/The list below is of/, region(desk, 'Phones'));
	await desk.sees(SNOM);
});

atDesk('restart', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	const before = office.bridge.service.pid;
	// its uptime must be one that can get smaller
	await desk.page.waitForTimeout(2000);
	await press(desk, 'Restart');
	await desk.sees('The service was restarted.', outcome(desk));
	assert.notEqual(office.bridge.service.pid, before);
	await desk.sees('Running', service(desk));
});

atDesk('at boot', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await desk.sees('It starts with the router.', service(desk));
	await press(desk, 'Disable at boot');
	await desk.sees('It will not start with the router.', outcome(desk));
	assert.equal(office.bridge.service.enabledAtBoot, false);
	await desk.sees('It does not start with the router.', service(desk));
	await press(desk, 'Enable at boot');
	await desk.sees('It will start with the router.', outcome(desk));
	assert.equal(office.bridge.service.enabledAtBoot, true);
});

atDesk('it cannot start: why, in the words of the check', { scene: 'stopped' }, async (desk, office) => {
	writeFileSync(join(office.root, 'etc/config/phoneprov'), office.file('phoneprov').replace('http://', 'ftp://'), { mode: 0o600 });
	await desk.open('phones');
	const { problems } = await office.ask('check');
	const fatal = problems.find((p) => p.fatal);
	await desk.sees('With these settings it cannot start:');
	await desk.sees(`Line ${fatal.line}: ${fatal.message}`);
	await press(desk, 'Start');
	desk.page.setDefaultTimeout(30_000);
	await desk.sees('The router took the order, but after 20 seconds nothing has changed.', outcome(desk));
	await desk.sees(fatal.message, outcome(desk));
});

atDesk('the agent dies in the middle of something: the page says so, keeps what it knows, and goes on by itself', { scene: 'two' }, async (desk, office) => {
	await desk.open('phones');
	await office.upstream.be('down');
	process.kill(office.bridge.service.pid, 'SIGSTOP');
	await desk.button(`Refresh ${SNOM}`).click();
	await desk.page.locator('[aria-busy=true]').waitFor();
	process.kill(office.bridge.service.pid, 'SIGKILL');
	await desk.page.getByRole('alert', { name: 'Result' }).waitFor();
	const said = await desk.page.getByRole('alert', { name: 'Result' }).textContent();
	assert.match(said, /agent|answer/i);
	await desk.sees('The agent does not run');
	await desk.sees(SNOM);
	await office.bridge.service.init('start');
	await desk.sees('Running', service(desk));
	await desk.gone('The agent does not run');
	assert.equal(await desk.page.getByRole('alert', { name: 'Result' }).textContent(), said, 'the words of the failure are lost');
});

atDesk('a user who may only look sees the service and cannot touch it', { scene: 'stopped' }, async (desk, office) => {
	await desk.open('phones', 'reader');
	await desk.sees('Stopped', service(desk));
	assert.equal(await service(desk).getByRole('button').count(), 0);
	assert.equal(office.bridge.service.running, false);
});

atDesk('troubles are told as the agent tells them', { scene: 'two', office: { agent: { port: '8480', enrol: 'window' } } }, async (desk, office) => {
	await desk.page.route((url) => /\/ubus/.test(url.pathname), async (route) => {
		const response = await route.fetch();
		const answer = await response.json();
		for (const { result } of [answer].flat()) if (result?.[1]?.uptime !== undefined)
			Object.assign(result[1], { troubles: ['port 8480 is taken by another program'], clock: 'not set', panics: 2,
				dhcp: { mode: 'dnsmasq', state: 'trouble', troubles: ['another DHCP server is on br-lan'], servers: [] },
				cache: { ...result[1].cache, trouble: 'no space left on device' } });
		await route.fulfill({ response, json: answer });
	});
	await desk.open('phones');
	for (const words of ['port 8480 is taken by another program', 'another DHCP server is on br-lan', /no space left on device/, /The clock of the router is not set/,
		/mistakes of its own \(2\)/, /DHCP by dnsmasq, with trouble/]) await desk.sees(words);
	await desk.look('phones-troubles');
	await desk.page.unrouteAll({ behavior: 'ignoreErrors' });
	assert.equal(office.bridge.service.running, true);
});

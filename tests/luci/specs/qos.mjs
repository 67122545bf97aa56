// The QoS tab: what is chosen there, the agent writes into the router's traffic control, and the tab says what came of it.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { atDesk, TOGETHER } from '../fixtures/desk.mjs';
import { parse } from '../bridge/uci.mjs';

const FIREWALL = `
config defaults
	option input 'REJECT'

config zone
	option name 'lan'
	list network 'lan'

config zone
	option name 'wan'
	list network 'wan'
`;
const SQM = `
config queue 'eth1'
	option enabled '0'
	option interface 'eth1'
`;
const QOS = `
config interface 'wan'
	option classgroup 'Default'
	option enabled '0'
	option upload '1000'
	option download '4000'

config classify
	option target 'Express'
	option ports '53'

config classgroup 'Default'
	option classes 'Priority Express Normal Bulk'
	option default 'Normal'

config class 'Priority'
	option avgrate '10'

config class 'Normal'
	option avgrate '30'
`;

const list = (desk) => desk.page.getByRole('list', { name: 'Suggestions' });
const table = (desk, name) => desk.page.getByRole('table', { name, exact: true });
const ours = (office, file) => parse(office.file(file)).filter((s) => s.name.startsWith('phoneprov'));

/** The rows of a table, without its head. */
async function rows(desk, name) {
	const all = await table(desk, name).getByRole('row').all();
	return Promise.all(all.slice(1).map(async (row) => (await row.getByRole('cell').allTextContents()).map((text) => text.trim())));
}

describe('qos', TOGETHER, () => {
	atDesk('before anything is chosen: the rules as they will be, and what there is to do them', { scene: 'two', office: { files: { firewall: FIREWALL } } }, async (desk) => {
		await desk.open('qos');
		await desk.sees('Switched off: nothing of this is in the router\'s traffic control.');
		assert.deepEqual(await rows(desk, 'Rules'), [
			['1', 'priority', 'all', 'media server', 'UDP'], ['2', 'priority', 'media server', 'all', 'UDP'], ['3', 'normal', 'all', 'all', 'all'],
		]);
		assert.deepEqual((await rows(desk, 'Back ends')).map(([name, state]) => [name, state]), [
			['sqm', 'not there'], ['qosify', 'not there'], ['qos-scripts', 'not there'], ['fw4', 'in use here'],
		]);
	});

	atDesk('media servers are suggested from the stored configs, and one click takes one', { scene: 'two', namespaces: true, office: { files: { firewall: FIREWALL } } }, async (desk, office) => {
		await desk.open('qos');
		await list(desk).getByRole('listitem').filter({ hasText: 'sip.example.net' }).filter({ hasText: 'of 2 phones' }).waitFor();
		await list(desk).getByRole('listitem').filter({ hasText: 'sbc.example.net' }).filter({ hasText: 'proxy of 1 phone' }).waitFor();
		await desk.button('Add sbc.example.net').click();
		assert.deepEqual(await desk.items('Media servers'), ['sbc.example.net']);
		assert.equal(await desk.button('Add sbc.example.net').isDisabled(), true);
		await desk.check('Calls first');
		await desk.type('Upload speed', '9000');
		await desk.type('Download speed', '90000');
		await desk.page.waitForTimeout(500);
		await desk.saveAndApply();
		assert.deepEqual(office.section('qos').options, { enabled: '1', mediaserver: ['sbc.example.net'], upload: '9000', download: '90000', backend: 'auto' });
		await office.bridge.service.init('reload');
		await desk.open('qos');
		await desk.sees('The rules are in place.');
		assert.deepEqual(await rows(desk, 'Media servers'), [['sbc.example.net', '203.0.113.21']]);
		assert.deepEqual(await rows(desk, 'Rules'), [
			['1', 'priority', 'all', '203.0.113.21', 'UDP'], ['2', 'priority', '203.0.113.21', 'all', 'UDP'], ['3', 'normal', 'all', 'all', 'all'],
		]);
		const written = ours(office, 'firewall').filter((s) => s.type === 'rule');
		assert.deepEqual(written.map((s) => [s.options.dest_ip ?? s.options.src_ip, s.options.target, s.options.set_dscp]).filter(([ip]) => ip).flat(2),
			['203.0.113.21', 'DSCP', 'EF', '203.0.113.21', 'DSCP', 'EF']);
		await desk.picture('qos');
	});

	atDesk('each back end: chosen here, written there, and gone when it is switched off', { scene: 'two', office: { files: { firewall: FIREWALL, sqm: SQM, qos: QOS } } }, async (desk, office) => {
		for (const [choice, file] of [['qos-scripts', 'qos'], ['sqm', 'sqm'], ['fw4', 'firewall']]) {
			await desk.open('qos');
			await desk.check('Calls first');
			if (!(await desk.items('Media servers')).length) await desk.addItem('Media servers', '203.0.113.20');
			await desk.type('Upload speed', '9000');
			await desk.type('Download speed', '90000');
			const select = desk.field('Back end').getByRole('combobox');
			await select.selectOption(choice);
			await desk.page.waitForTimeout(500);
			await desk.saveAndApply();
			await office.bridge.service.init('reload');
			await desk.open('qos');
			await desk.sees(/The rules are in place\./);
			assert.ok(ours(office, file).length > 0, `${choice} writes into ${file}`);
			const others = ['firewall', 'sqm', 'qos'].filter((f) => f !== file && !(choice === 'sqm' && f === 'firewall'));
			for (const other of others) assert.deepEqual(ours(office, other), [], `${choice}: nothing of ours in ${other}`);
		}
		await desk.check('Calls first', false);
		await desk.saveAndApply();
		await office.bridge.service.init('reload');
		for (const [file, before] of [['firewall', FIREWALL], ['sqm', SQM], ['qos', QOS]]) {
			assert.deepEqual(parse(office.file(file)).map((s) => [s.type, s.options]), parse(before).map((s) => [s.type, s.options]), file);
		}
		await desk.open('qos');
		await desk.sees('Switched off: nothing of this is in the router\'s traffic control.');
	});

	atDesk('what is no media server is refused as it is typed, and never reaches a file', { scene: 'two', office: { files: { firewall: FIREWALL } } }, async (desk, office) => {
		const before = office.file('phoneprov');
		await desk.open('qos');
		const box = desk.field('Media servers').getByRole('textbox').last();
		for (const value of ['$(reboot)', '`id`', 'a;b', 'x y', '\'', '203.0.113.0/33', 'zürich.example', 'a|b', '203.0.113.20 -j ACCEPT']) {
			await box.fill(value);
			await box.press('End');
			await desk.sees(/is no host name, address or block/, desk.field('Media servers'));
			await box.press('Enter');
			assert.deepEqual(await desk.items('Media servers'), [], value);
		}
		await box.fill('');
		await desk.type('Upload speed', '9 Mbit');
		await desk.sees(/upload '9 Mbit' is no whole number/);
		await desk.button('Save').filter({ visible: true }).last().click();
		await desk.sees('Not saved: the agent refuses this');
		assert.equal(office.file('phoneprov'), before);
	});

	atDesk('a media server without an address: the tab says so', { scene: 'two', office: { files: { firewall: FIREWALL }, edit: (sections) => {
		Object.assign(sections.find((s) => s.type === 'qos').options, { enabled: '1', mediaserver: ['nowhere.invalid'] });
	} } }, async (desk) => {
		await desk.open('qos');
		const [[host, words]] = await rows(desk, 'Media servers');
		assert.equal(host, 'nowhere.invalid');
		assert.ok(words.length > 10, words);
		assert.equal(await desk.page.getByText('The rules are in place.').count(), 0);
		await desk.look('qos-trouble');
	});

	atDesk('switched on, but the agent is off: the tab says why nothing is written', { scene: 'nothing', office: { files: { firewall: FIREWALL }, edit: (sections) => {
		Object.assign(sections.find((s) => s.type === 'qos').options, { enabled: '1', mediaserver: ['203.0.113.20'] });
	} } }, async (desk, office) => {
		await desk.open('qos');
		await desk.sees('Nothing is written: the agent itself is switched off under Settings.');
		assert.deepEqual(ours(office, 'firewall'), []);
	});

	atDesk('who may only look sees it all and changes nothing', { scene: 'two', office: { files: { firewall: FIREWALL } } }, async (desk) => {
		await desk.open('qos', 'reader');
		await desk.sees('Your login may look at the settings, but not change them.');
		await table(desk, 'Rules').waitFor();
		await list(desk).waitFor();
		assert.equal(await desk.page.locator('#view').locator('input:enabled, select:enabled').filter({ visible: true }).count(), 0);
		assert.equal(await desk.button('Add sip.example.net').isDisabled(), true);
	});
});

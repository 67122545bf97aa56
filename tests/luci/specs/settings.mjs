// The Settings tab: from nothing to a phone that gets its config; what `phoneprov check` refuses, the page refuses, in its
// words; what is saved, the agent reads as it was meant.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atDesk, TOGETHER } from '../fixtures/desk.mjs';
import { parse, print } from '../bridge/uci.mjs';

const said = (desk) => desk.page.getByRole('alert').filter({ visible: true });

/** Types with the keyboard's events, as a person does, and waits for what the agent says of it. */
async function typed(desk, title, text, within) {
	await desk.type(title, text, within);
	await desk.page.waitForTimeout(500);
}

/** What `phoneprov check` says of the office's config with a change, with nothing of the page in between. */
async function checked(office, change) {
	const sections = parse(office.file('phoneprov'));
	change(sections);
	const folder = mkdtempSync(join(tmpdir(), 'phoneprov-check-'));
	writeFileSync(join(folder, 'phoneprov'), print(sections), { mode: 0o600 });
	const answer = await new Promise((done) => {
		execFile(office.bridge.service.binary, ['check', '--json', '--config', join(folder, 'phoneprov')], (_, out) => done(JSON.parse(out)));
	});
	rmSync(folder, { recursive: true });
	return answer.problems;
}

const main = (sections) => sections.find((s) => s.type === 'agent').options;
const vendor = (sections, name) => sections.find((s) => s.type === 'vendor' && s.name === name).options;

async function openBrand(desk, name) {
	await desk.button('Edit', desk.row(name)).click();
	await desk.sees(`Brand: ${name}`, desk.dialog());
	return desk.dialog();
}

/** Saves and waits until the page has taken it in. */
async function save(desk) {
	await desk.button('Save').filter({ visible: true }).last().click();
	await desk.sees(/Unsaved Changes: \d/i);
}

describe('settings', TOGETHER, () => {
	atDesk('first start: what to fill in first, and then a phone gets its config', { scene: 'nothing' }, async (desk, office) => {
		await desk.open('settings');
		const steps = desk.page.getByRole('region', { name: 'First steps' });
		await steps.waitFor();
		const todo = () => steps.getByRole('img', { name: 'to do' }).count();
		assert.equal(await todo(), 3);
		await typed(desk, 'Provider', office.upstreamUrl);
		await typed(desk, 'Provisioning password', 'upstream-secret');
		assert.equal(await todo(), 1);
		await desk.check('Enable');
		await steps.waitFor({ state: 'hidden' });
		await desk.saveAndApply();
		await office.until(['status'], (s) => s.upstream?.url?.startsWith(office.upstreamUrl));
		const phone = await office.plug('snom');
		assert.equal(phone.got.files[0].status, 200);
		await desk.open('settings');
		assert.equal(await steps.count(), 0);
	});

	atDesk('enabled without a network: refused, and nothing is saved', { scene: 'nothing' }, async (desk, office) => {
		const before = office.file('phoneprov');
		await desk.open('settings');
		await desk.check('Enable');
		await desk.page.locator('#view').getByText('Save', { exact: true }).click();
		const words = 'upstream is not set, but the url of vendor \'snom\' needs it';
		await desk.sees(words, said(desk));
		const [problem] = (await checked(office, (all) => { main(all).enabled = '1'; })).filter((p) => p.fatal);
		assert.ok(problem.message.startsWith(words));
		await desk.sees(problem.message, said(desk));
		assert.equal(await desk.page.getByText(/Unsaved Changes/i).filter({ visible: true }).count(), 0);
		assert.equal(office.file('phoneprov'), before);
		await desk.look('settings-refused');
	});

	atDesk('what check refuses, the page refuses while it is typed, in the same words', { scene: 'two' }, async (desk, office) => {
		await desk.open('settings');
		const cases = [
			['General', 'Provider', 'upstream', ['ftp://prov.example.net', 'https://joe:x@h/', 'https://h/?a=b', 'zürich', 'https://h:0', 'https://$(reboot)/']],
			['General', 'Provisioning password', 'provpass', ['x'.repeat(257)]],
			['Discovery', 'Port', 'port', ['0', '65536', 'http', '+80', ' 80', '8480\'']],
			['Stored configs', 'Grace', 'grace', ['366', '-1', '1.5', '7d']],
			['Safety', 'Share that may change', 'guard_share', ['101', 'twenty', '$(id)']],
			['Advanced', 'Folder on flash', 'state_dir', ['etc/phoneprov']],
		];
		for (const [tab, title, option, values] of cases) {
			await desk.tab(tab);
			const right = await desk.field(title).locator('input').first().inputValue();
			for (const value of values) {
				const [problem] = await checked(office, (all) => { main(all)[option] = value; });
				assert.ok(problem, `${option} ${value}`);
				await typed(desk, title, value);
				await desk.sees(problem.message, desk.field(title));
			}
			await desk.button('Save').filter({ visible: true }).last().click();
			await desk.sees('Not saved: the agent refuses this');
			await typed(desk, title, right);
			assert.equal(await desk.field(title).getByRole('alert').count(), 0, `${title} is right again`);
		}
		assert.equal(await desk.page.getByText(/Unsaved Changes/i).filter({ visible: true }).count(), 0);
	});

	atDesk('a list: what is no item is refused as it is typed', { scene: 'two' }, async (desk, office) => {
		await desk.open('settings');
		const dialog = await openBrand(desk, 'snom');
		const box = desk.field('MAC prefixes', dialog).getByRole('textbox').last();
		const [problem] = await checked(office, (all) => { vendor(all, 'snom').oui.push('00:04:1'); });
		await box.pressSequentially('00:04:1');
		await desk.sees(problem.message, dialog);
		await box.press('Enter');
		assert.deepEqual(await desk.items('MAC prefixes', dialog), ['00:04:13:*:*:*', '1c:71:26:*:*:*']);
		await box.fill('');
		await desk.addItem('MAC prefixes', '00:04:14:*:*:*', dialog);
		await desk.button('Save', dialog).click();
		await dialog.waitFor({ state: 'hidden' });
		await desk.sees('00:04:13, 1c:71:26, 00:04:14', desk.row('snom'));
	});

	atDesk('a brand: the address with its placeholders, an example of it, and its mistakes', { scene: 'two' }, async (desk, office) => {
		await desk.open('settings');
		const dialog = await openBrand(desk, 'snom');
		const title = 'Address at the provider';
		for (const name of ['{upstream}', '{provpass}', '{mac}', '{MAC}', '{mac:}', '{mac-}', '{model}', '{version}', '{ip}', '{vendor}']) {
			await dialog.getByText(name, { exact: true }).waitFor();
		}
		await desk.page.setViewportSize({ width: 1200, height: 1500 });
		await desk.picture('settings-brand');
		await typed(desk, title, '{upstream}/x/{mac-}/{vendor}.xml?p={provpass}', dialog);
		await desk.sees(`${office.upstreamUrl}/x/00-04-13-aa-bb-cc/snom.xml?p=***`, dialog);
		for (const value of ['{upstream}/{provpas}/x', '{upstream}/{mac', 'prov/x', '{upstream}/{provpass}', 'https://h/a b']) {
			const [problem] = await checked(office, (all) => { vendor(all, 'snom').url = value; });
			await typed(desk, title, value, dialog);
			await desk.sees(problem.message, dialog);
		}
		await desk.button('Save', dialog).click();
		await desk.sees('Not saved: the agent refuses this', dialog);
		await typed(desk, title, '{upstream}/y/{mac}.xml', dialog);
		await desk.button('Save', dialog).click();
		await dialog.waitFor({ state: 'hidden' });
		await desk.sees('{upstream}/y/{mac}.xml', desk.row('snom'));
		await desk.saveAndApply();
		assert.equal(office.section('vendor', 'snom').options.url, '{upstream}/y/{mac}.xml');
	});

	atDesk('a brand of one\'s own, and one less', { scene: 'two' }, async (desk, office) => {
		await desk.open('settings');
		await desk.page.locator('.cbi-section-create-name').filter({ visible: true }).pressSequentially('acme');
		await desk.button('Add a brand').click();
		const dialog = desk.dialog();
		await desk.sees('Brand: acme', dialog);
		await desk.addItem('MAC prefixes', '02:00:00:*:*:*', dialog);
		await typed(desk, 'Address at the provider', '{upstream}/acme/{MAC}.cfg', dialog);
		await desk.button('Save', dialog).click();
		await dialog.waitFor({ state: 'hidden' });
		await desk.button('Delete', desk.row('Akuvox')).click();
		await desk.row('Akuvox').waitFor({ state: 'hidden' });
		await desk.saveAndApply();
		assert.deepEqual(office.section('vendor', 'acme').options, { oui: ['02:00:00:*:*:*'], url: '{upstream}/acme/{MAC}.cfg', enabled: '0' });
		assert.equal(office.section('vendor', 'akuvox'), undefined);
		assert.deepEqual((await office.ask('check')).problems, []);
	});

	atDesk('known phones', { scene: 'two' }, async (desk, office) => {
		await desk.open('settings');
		await desk.button('Add a phone').click();
		const mac = desk.page.getByLabel('MAC address: known phone 1');
		await mac.waitFor();
		await mac.pressSequentially('00:04');
		const problems = await checked(office, (all) => all.push({ type: 'phone', name: 'x', anonymous: true, options: { mac: '00:04' } }));
		await desk.sees(problems[0].message);
		await mac.fill('00-04-13-AA-BB-77');
		await mac.press('End');
		await desk.page.getByLabel('Brand: known phone 1').selectOption('mitel');
		await desk.page.waitForTimeout(500);
		await desk.saveAndApply();
		assert.deepEqual(office.section('phone').options, { mac: '00-04-13-AA-BB-77', vendor: 'mitel' });
		assert.deepEqual((await office.ask('check')).problems, []);
	});

	atDesk('warnings are shown and do not keep from saving', { scene: 'two' }, async (desk, office) => {
		await desk.open('settings');
		await desk.tab('Safety');
		await desk.choose('New phones', 'list: only those listed below');
		await save(desk);
		const [problem] = await checked(office, (all) => { main(all).enrol = 'list'; });
		assert.equal(problem.fatal, false);
		await desk.sees(problem.message);
	});

	atDesk('the guard in words', { scene: 'two' }, async (desk) => {
		await desk.open('settings');
		await desk.tab('Safety');
		await desk.sees('With 2 phones, the guard never holds anything');
		await typed(desk, 'Number that may change in any case', '1');
		await typed(desk, 'Within', '90');
		await desk.sees(/With 2 phones: when 1 of them .* within 90 minutes/);
		await typed(desk, 'Share that may change', '100');
		await desk.sees('With 2 phones, the guard never holds anything');
		await desk.look('settings-safety');
	});

	// quotes, blanks, shell, other alphabets, and as long as an option may be
	const odd = [
		['General', 'Provisioning password', 'provpass', [
			'it\'s "so" $(reboot) `id` \\ \\\' {x} & % + # ; | > < ?', 'zürich Ωμέγα 电话 🙂', '\'', '"', '\\', '${IFS}', '%27%20', 'a'.repeat(256),
		]],
		['Advanced', 'Certificate authorities', 'ca_file', [
			'/etc/it\'s "here" $(reboot) `id`/\\ # ;.pem', '/etc/zürich/Ωμέγα/电话.pem', `/${'é'.repeat(2047)}x`, '/a\\\'b', '/tab and  two blanks',
		]],
	];

	for (const [tab, title, option, value] of odd.flatMap(([tab, title, option, values]) => values.map((value) => [tab, title, option, value]))) {
		const shown = value.length > 40 ? `${value.slice(0, 10)}… (${Buffer.byteLength(value)} bytes)` : value;
		atDesk(`as it was typed to the agent: ${option} ${shown}`, { scene: 'two' }, async (desk, office) => {
			const open = async () => {
				await desk.open('settings');
				if (tab !== 'General') await desk.tab(tab);
			};
			await open();
			await typed(desk, title, value);
			assert.equal(await desk.field(title).getByRole('alert').count(), 0, value);
			await desk.saveAndApply();
			assert.equal(office.section('agent').options[option], value);
			assert.deepEqual((await checked(office, () => {})).filter((p) => p.message.startsWith(option)), []);
			if (option === 'provpass') {
				// nobody is told it but the provider: it gets what was typed, or it answers with nothing
				await office.upstream.password(value);
				await office.upstream.revise();
				const done = await office.phones[0].boot();
				assert.match(done.files[0].label, /fresh/, value);
			} else {
				const { sections } = await office.bridge.service.call('config', {});
				assert.equal(sections.find((s) => s.type === 'agent').options[option], value);
			}
			await open();
			assert.equal(await desk.field(title).locator('input').first().inputValue(), value);
		});
	}

	atDesk('what was written by hand is shown as the agent reads it', {
		scene: 'two',
		office: { edit: (sections) => {
			Object.assign(main(sections), { network: 'lan wan', pnp: 'off', verify_mac: 'yes' });
			vendor(sections, 'yealink').enabled = 'on';
		} },
	}, async (desk, office) => {
		await desk.open('settings');
		await desk.sees('lan (br-lan)', desk.field('Networks'));
		await desk.sees('wan (eth1)', desk.field('Networks'));
		assert.equal(await desk.row('Yealink').getByRole('checkbox').isChecked(), true);
		await desk.tab('Discovery');
		assert.equal(await desk.field('Answer SIP PnP').getByRole('checkbox').isChecked(), false);
		await desk.tab('Advanced');
		await desk.page.waitForTimeout(300);
		await save(desk);
		await desk.saveAndApply();
		const { options } = office.section('agent');
		assert.deepEqual([options.network, options.pnp, options.verify_mac], [['lan', 'wan'], '0', '1']);
		assert.equal(office.section('vendor', 'yealink').options.enabled, '1');
	});

	atDesk('the test plays a phone, step by step', { scene: 'two' }, async (desk, office) => {
		await desk.open('settings');
		await desk.button('Test').click();
		const steps = desk.page.getByRole('list', { name: 'Steps' });
		for (const [name, words] of [['Phone', 'a snom phone'], ['Asks the network (SUBSCRIBE)', 'answered by'], ['Is told the address (NOTIFY)', '/snom/settings.php'], ['Fetches (GET)', 'fresh']]) {
			await steps.getByRole('listitem').filter({ hasText: name }).filter({ hasText: words }).waitFor();
		}
		await desk.sees('A phone of this brand gets its config.');
		assert.equal(await steps.getByRole('img', { name: 'done' }).count(), 4);
		await desk.picture('settings');

		await office.upstream.be('refuse');
		await desk.button('Test').click();
		await steps.getByRole('img', { name: 'failed' }).waitFor({ timeout: 60_000 });
		await desk.sees('A phone of this brand does not get its config');
		await desk.look('settings-test-failed');
	});

	atDesk('the test, when no agent runs', { scene: 'stopped' }, async (desk) => {
		await desk.open('settings');
		await desk.sees('The service is not running, so no phone is served.');
		await desk.button('Test').click();
		await desk.gone('Testing…');
		assert.equal(await desk.page.getByText('A phone of this brand gets its config.').count(), 0);
		await desk.look('settings-stopped');
		await desk.button('Start the service').click();
		await desk.gone('The service is not running, so no phone is served.');
	});

	atDesk('a service that does not start with the router', { scene: 'two' }, async (desk, office) => {
		await office.bridge.service.init('disable');
		await desk.open('settings');
		await desk.sees('The service runs, but will not start with the router.');
		await desk.button('Switch the service on').click();
		await desk.gone('The service runs, but will not start with the router.');
		assert.equal(office.bridge.service.enabledAtBoot, true);
	});

	atDesk('who may only look sees the settings, and never the password', { scene: 'two' }, async (desk) => {
		const bodies = [];
		desk.page.on('response', async (response) => bodies.push(await response.text().catch(() => '')));
		await desk.open('settings', 'reader');
		await desk.sees('Your login may look at the settings, but not change them.');
		await desk.sees('is set', desk.field('Provisioning password'));
		for (const tab of ['General', 'Discovery', 'Stored configs', 'Safety', 'Advanced']) {
			await desk.tab(tab);
			const fields = desk.page.locator('#view').getByRole('textbox').filter({ visible: true });
			assert.ok(await desk.page.locator('#view input:enabled').filter({ visible: true }).count() === 0, tab);
			if (tab === 'Stored configs') assert.ok(await fields.count() > 5);
		}
		await desk.button('Edit', desk.row('snom')).click();
		await desk.sees('Brand: snom', desk.dialog());
		assert.equal(await desk.button('Save', desk.dialog()).isDisabled(), true);
		assert.equal(await desk.page.getByText('Save & Apply').filter({ visible: true }).count(), 0);
		assert.equal(await desk.button('Test').isDisabled(), true);
		assert.ok(bodies.length > 5 && !bodies.some((text) => text.includes('upstream-secret')));
		assert.ok(!(await desk.page.content()).includes('upstream-secret'));
	});
});

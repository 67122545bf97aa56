// The test bed itself: UCI files mean the same to the bridge as to the agent, and rights are those of the app's ACL.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, readFileSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, print, Uci } from '../bridge/uci.mjs';
import { Access } from '../bridge/access.mjs';
import { parsePo } from '../bridge/catalog.mjs';

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const BINARY = process.env.PHONEPROV ?? join(PROJECT, 'target/debug/phoneprov');
const ODD = ["it's", '"quoted"', '$(reboot)', '`id`', 'back\\slash', ' blanks  within ', 'a#b', 'äöü ☎ 日本', "'", "''", 'x'.repeat(250), 'semi;colon', 'tab\tin it'];

function folder(files) {
	const root = mkdtempSync(join(tmpdir(), 'phoneprov-bridge-'));
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(dirname(join(root, name)), { recursive: true });
		writeFileSync(join(root, name), text);
	}
	return root;
}

test('what is printed is read the same', () => {
	const sections = ODD.map((value, i) => ({ type: 'agent', name: `s${i}`, anonymous: false, options: { one: value, many: [value, 'b', value] } }));
	assert.deepEqual(parse(print(sections)), sections);
});

test('a file is read as libuci reads it', () => {
	const text = '# a comment\npackage x\nconfig agent main\n\toption a "b c"\n\toption d e\\ f # more\n\tlist l \'1\'\n\tlist l 2\n\toption m \'two\nlines\'\n\nconfig vendor\n\toption url \'it\'\\\'\'s\'\n';
	const [main, vendor] = parse(text);
	assert.deepEqual(main.options, { a: 'b c', d: 'e f', l: ['1', '2'], m: 'two\nlines' });
	assert.equal(vendor.anonymous, true);
	assert.match(vendor.name, /^cfg02[0-9a-f]{4}$/);
	assert.equal(vendor.options.url, "it's");
	assert.throws(() => parse("config agent 'main"), /not closed/);
});

test('the agent reads what the bridge writes', { skip: existsSync(BINARY) ? false : `there is no ${BINARY}` }, () => {
	const shipped = parse(readFileSync(join(PROJECT, 'openwrt-package/files/phoneprov.config'), 'utf8'));
	const root = folder({});
	try {
		for (const value of ODD.filter((v) => !/[\t]/.test(v))) {
			const sections = structuredClone(shipped);
			sections.find((s) => s.type === 'agent').options.ca_file = `/${value}`;
			writeFileSync(join(root, 'phoneprov'), print(sections), { mode: 0o600 });
			const said = JSON.parse(execFileSync(BINARY, ['rpcd', 'call', 'config', '--config', join(root, 'phoneprov')], { input: '{}' }));
			assert.equal(said.sections?.find((s) => s.type === 'agent').options.ca_file, `/${value}`, JSON.stringify(said.error ?? value));
		}
	} finally {
		rmSync(root, { recursive: true });
	}
});

test('changes are the session\'s own until they are committed, and come back without a confirmation', async () => {
	const root = folder({ phoneprov: "config agent 'main'\n\toption enabled '0'\n\tlist network 'lan'\n" });
	const uci = new Uci(root);
	assert.deepEqual(uci.set('a', { config: 'phoneprov', section: 'main', values: { enabled: '1', network: ['lan', 'office'], port: '1' } }), [0]);
	assert.deepEqual(uci.set('a', { config: 'phoneprov', section: 'none', values: {} }), [4]);
	assert.equal(uci.get('b', { config: 'phoneprov', section: 'main', option: 'enabled' })[1].value, '0');
	assert.equal(uci.get('a', { config: 'phoneprov', section: 'main', option: 'enabled' })[1].value, '1');
	assert.deepEqual(uci.delete('a', { config: 'phoneprov', section: 'main', options: ['port'] }), [0]);
	const [, { section }] = uci.add('a', { config: 'phoneprov', type: 'phone', values: { mac: '00:04:13:00:00:01' } });
	assert.ok(section.startsWith('cfg'));
	assert.deepEqual(uci.changes('b')[1].changes, {});
	assert.equal(uci.changes('a')[1].changes.phoneprov.length, 8);
	const reloads = [];
	assert.deepEqual(uci.apply('a', 0.05, (configs) => reloads.push(configs)), [0]);
	assert.deepEqual(uci.apply('a', 0.05, () => {}), [6], 'one at a time');
	assert.deepEqual(uci.read('phoneprov').map((s) => s.type), ['agent', 'phone']);
	assert.deepEqual(uci.confirm('b'), [6]);
	await new Promise((done) => setTimeout(done, 150));
	assert.deepEqual(uci.read('phoneprov'), parse("config agent 'main'\n\toption enabled '0'\n\tlist network 'lan'\n"));
	assert.deepEqual(reloads, [['phoneprov'], ['phoneprov']]);
	assert.deepEqual(uci.confirm('a'), [5]);
	rmSync(root, { recursive: true });
});

test('rights are what the ACL file says', () => {
	const acl = { x: { read: { ubus: { phoneprov: ['status'], 'a.*': ['*'] } }, write: { uci: ['phoneprov'], ubus: { phoneprov: ['forget'] } } }, y: { write: { uci: { qos: ['read', 'write'] } } } };
	const menu = { 'admin/services/p': { title: 'P', action: { type: 'firstchild' }, depends: { acl: ['x'], uci: { phoneprov: true } } }, 'admin/services/p/one': { title: 'One', order: 1, action: { type: 'view', path: 'p/one' } } };
	const root = folder({ 'root/usr/share/rpcd/acl.d/x.json': JSON.stringify(acl), 'root/usr/share/luci/menu.d/x.json': JSON.stringify(menu) });
	const access = new Access(root, { all: { password: '1', write: true }, looks: { password: '2', write: false } });
	assert.equal(access.login('all', '2'), null);
	assert.equal(access.login('constructor', ''), null);
	const [all, looks] = [access.login('all', '1'), access.login('looks', '2')];
	const may = (session) => [['ubus', 'phoneprov', 'status'], ['ubus', 'phoneprov', 'forget'], ['ubus', 'a.b', 'c'], ['uci', 'phoneprov', 'write'], ['uci', 'phoneprov', 'read'], ['uci', 'qos', 'read'], ['ubus', 'other', 'status']]
		.map(([scope, object, fn]) => access.may(session, scope, object, fn));
	// a list grants what it stands under, and no more: who may write a config so may not read it
	assert.deepEqual(may(all), [true, true, true, true, false, true, false]);
	assert.deepEqual(may(looks), [true, false, true, false, false, false, false]);
	assert.deepEqual(may(access.session('0'.repeat(32))), Array(7).fill(false));
	const uci = { read: () => [{}] };
	const page = (session, has = uci) => access.resolve(access.menu(session, has), ['admin', 'services', 'p']);
	assert.deepEqual([page(all).view, page(all).node.readonly, page(looks).node.readonly], ['p/one', false, true]);
	assert.equal(page(all, { read: () => [] }), null, 'no page without a section of the config');
	rmSync(root, { recursive: true });
});

test('translations', () => {
	const po = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n\nmsgid "Save"\nmsgstr "Sichern"\n\n#, fuzzy\nmsgid "Old"\nmsgstr "Alt"\n\nmsgctxt "c"\nmsgid "Save"\nmsgstr "Retten"\n\nmsgid "one"\nmsgid_plural "many"\nmsgstr[0] "eins"\nmsgstr[1] "viele"\n\nmsgid "two "\n"lines"\nmsgstr "zwei "\n"Zeilen"\n\nmsgid "none"\nmsgstr ""\n';
	assert.deepEqual(parsePo(po), { Save: 'Sichern', 'c\u0004Save': 'Retten', one: ['eins', 'viele'], 'two lines': 'zwei Zeilen' });
});

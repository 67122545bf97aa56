// Who may do what: reads the app's own ACL and menu files as rpcd and LuCI's dispatcher do. A stand-in for rpcd's
// session plugin and for the part of the dispatcher that says which pages a session gets, and with which rights.

import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';

/** What LuCI's own ACL files grant to everybody who is logged in, as far as pages of an app need it. */
const BASE = {
	'luci-base': {
		read: {
			ubus: {
				uci: ['changes', 'get', 'configs'], session: ['access', 'login', 'get', 'list', 'destroy'], file: ['list'],
				luci: ['getFeatures'], system: ['board', 'info'], 'network.interface': ['dump'],
				'luci-rpc': ['getBoardJSON', 'getHostHints', 'getNetworkDevices', 'getWirelessDevices'],
				network: ['get_proto_handlers'], 'network.device': ['status'],
			},
			uci: ['luci', 'system', 'network'],
		},
		write: { ubus: { uci: ['add', 'apply', 'confirm', 'commit', 'delete', 'order', 'rename', 'revert', 'set'] } },
	},
};

const json = (file) => JSON.parse(readFileSync(file, 'utf8'));

function folder(path) {
	if (!existsSync(path)) return {};
	return Object.assign({}, ...readdirSync(path).filter((f) => f.endsWith('.json')).sort().map((f) => json(join(path, f))));
}

/** `*` in a pattern is any text. */
function matches(pattern, text) {
	const regex = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*');
	return new RegExp(`^${regex}$`).test(text);
}

export class Access {
	/**
	 * @param {string} app the folder of the luci-app
	 * @param {Record<string, {password: string, write: boolean}>} users
	 */
	constructor(app, users) {
		this.app = app;
		this.users = users;
		this.sessions = new Map();
	}

	/** Read anew each time: whoever works on the app need not start the bridge again. */
	groups() {
		return { ...BASE, ...folder(join(this.app, 'root/usr/share/rpcd/acl.d')) };
	}

	login(name, password) {
		const user = Object.hasOwn(this.users, name) ? this.users[name] : null;
		if (!user || user.password !== password) return null;
		const id = randomBytes(16).toString('hex');
		// as with rpcd, what a session may do is settled when it begins
		const scopes = {};
		const granted = {};
		for (const [group, kinds] of Object.entries(this.groups())) {
			granted[group] = user.write ? ['read', 'write'] : ['read'];
			for (const kind of granted[group]) this.#grant(scopes, kinds[kind], kind);
		}
		const session = { id, name, write: user.write, scopes, granted, token: randomBytes(16).toString('hex') };
		this.sessions.set(id, session);
		return session;
	}

	#grant(scopes, rights, kind) {
		for (const [scope, what] of Object.entries(rights ?? {})) {
			const list = (scopes[scope] ??= []);
			// a list names objects, which then get the kind as their function; an object names the functions, too
			if (Array.isArray(what)) for (const object of what) list.push([object, kind]);
			else for (const [object, functions] of Object.entries(what)) for (const f of functions) list.push([object, f]);
		}
	}

	session(id) {
		return this.sessions.get(id) ?? null;
	}

	may(session, scope, object, fn) {
		return (session?.scopes[scope] ?? []).some(([o, f]) => matches(o, object) && matches(f, fn));
	}

	/** null: no right at all. Else whether it may write. */
	#level(session, groups) {
		const granted = groups.map((g) => session.granted[g] ?? []);
		if (granted.some((g) => g.length === 0)) return null;
		return groups.length === 0 || granted.some((g) => g.includes('write'));
	}

	/** The app's menu entries below their parents, each with `satisfied` and `readonly`. */
	menu(session, uci) {
		const tree = { satisfied: true, action: { type: 'firstchild' }, children: {} };
		const entries = {
			admin: { title: 'Administration', order: 10, action: { type: 'firstchild', recurse: true } },
			'admin/services': { title: 'Services', order: 40, action: { type: 'firstchild', recurse: true } },
			...folder(join(this.app, 'root/usr/share/luci/menu.d')),
		};
		for (const path of Object.keys(entries).sort()) {
			let node = tree;
			for (const word of path.split('/')) node = (node.children ??= {})[word] ??= { satisfied: true };
			Object.assign(node, entries[path]);
			const needs = entries[path].depends ?? {};
			const level = this.#level(session, needs.acl ?? []);
			if (level === null || !this.#hasConfigs(needs.uci, uci)) node.satisfied = false;
			else if (!level) node.readonly = true;
		}
		return tree;
	}

	#hasConfigs(needs, uci) {
		return [needs ?? []].flat().every((one) => Object.entries(typeof one === 'string' ? { [one]: true } : one)
			.every(([config, what]) => what !== true || (uci.read(config)?.length ?? 0) > 0));
	}

	/** Follows aliases and first children to a page. */
	resolve(tree, path) {
		let words = path;
		for (let turns = 0; turns < 10; turns++) {
			let node = tree;
			for (const word of words) node = node?.children?.[word];
			if (!node?.satisfied) return null;
			const action = node.action ?? { type: 'firstchild' };
			if (action.type === 'view') {
				const readonly = words.some((_, i) => words.slice(0, i + 1).reduce((n, w) => n.children[w], tree).readonly);
				return { words, view: action.path, node: { ...node, readonly, children: undefined } };
			}
			if (action.type === 'alias' || action.type === 'rewrite') {
				words = action.path.split('/');
			} else {
				const [first] = Object.entries(node.children ?? {}).filter(([, n]) => n.satisfied && n.title)
					.sort(([, a], [, b]) => (a.order ?? 9999) - (b.order ?? 9999));
				if (!first) return null;
				words = [...words, first[0]];
			}
		}
		return null;
	}
}

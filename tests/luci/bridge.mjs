#!/usr/bin/env node
// What uhttpd and rpcd do on a router for LuCI's pages, on loopback: a stand-in for both, and for LuCI's dispatcher (login,
// menu, the page around a view, applying changes). The app's own files are the real ones (views, ACL, menu, translations), and
// so are the agent and the rpcd plugin, each as its own process. bridge/ has the parts, each with what it stands in for.
//
// By hand:  node bridge.mjs --root FOLDER [--port N] [--device D]... [--within 'COMMAND ARGUMENTS'] [--luci FOLDER]
// FOLDER/etc/config holds the UCI files (phoneprov, network, …). Users: root (password "test"), reader (may only look).
// --luci: the client side of a real LuCI in place of host/: the folder that is /www/luci-static on a router.

import { createServer } from 'node:http';
import { readFileSync, existsSync, statSync } from 'node:fs';
import { join, normalize, extname, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Access } from './bridge/access.mjs';
import { Uci } from './bridge/uci.mjs';
import { Service } from './bridge/service.mjs';
import { Ubus } from './bridge/ubus.mjs';
import { script } from './bridge/catalog.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const PROJECT = resolve(HERE, '../..');
const APP = join(PROJECT, 'luci-app');
const CGI = '/cgi-bin/luci';
const BODY_MAX = 1024 * 1024;
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png' };

export const USERS = { root: { password: 'test', write: true }, reader: { password: 'test', write: false } };

const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

class Bridge {
	constructor(o) {
		this.luci = o.luci ?? null;
		this.language = o.language ?? 'en';
		this.pollInterval = o.pollInterval ?? 5;
		this.holdoff = o.holdoff ?? 1;
		this.access = new Access(o.app ?? APP, o.users ?? USERS);
		this.app = o.app ?? APP;
		this.uci = new Uci(join(o.root, 'etc/config'));
		this.service = new Service({
			binary: o.binary ?? process.env.PHONEPROV ?? join(PROJECT, 'target/debug/phoneprov'),
			config: join(o.root, 'etc/config/phoneprov'),
			uciFolder: join(o.root, 'etc/config'),
			log: join(o.root, 'agent.log'),
			devices: o.devices ?? [],
			within: o.within ?? [],
			uci: this.uci,
		});
		this.ubus = new Ubus({ access: this.access, uci: this.uci, service: this.service });
		this.server = createServer((request, response) => {
			this.#handle(request, response).catch((e) => {
				console.error(`bridge: ${request.method} ${request.url}: ${e.stack}`);
				if (!response.headersSent) response.writeHead(500, { 'Content-Type': 'text/plain' });
				response.end(String(e.message));
			});
		});
	}

	async listen(port = 0) {
		await new Promise((done, failed) => this.server.once('error', failed).listen(port, '127.0.0.1', done));
		this.url = `http://127.0.0.1:${this.server.address().port}`;
		return this;
	}

	async close() {
		this.server.closeAllConnections();
		await new Promise((done) => this.server.close(done));
		await this.service.end();
	}

	async #handle(request, response) {
		const url = new URL(request.url, 'http://bridge');
		const send = (status, type, body, headers = {}) => {
			response.writeHead(status, { 'Content-Type': `${type}; charset=UTF-8`, 'Cache-Control': 'no-store', ...headers });
			response.end(body);
		};
		const body = request.method === 'POST' ? await this.#body(request) : '';
		const sid = /(?:^|;\s*)sysauth_http=([0-9a-f]{32})/.exec(request.headers.cookie ?? '')?.[1];
		const session = this.access.session(sid);
		if (url.pathname === '/') return send(302, 'text/plain', '', { Location: `${CGI}/` });
		if (url.pathname.startsWith('/luci-static/')) return this.#file(url.pathname, send);
		if (/^\/ubus\/?/.test(url.pathname)) return this.#ubus(body, send);
		// before it applies changes, LuCI asks which network the browser comes in by
		if (url.pathname === '/cgi-bin/cgi-exec') return send(200, 'application/json', JSON.stringify({ remote_addr: '127.0.0.1', inbound_interfaces: [] }));
		if (!url.pathname.startsWith(CGI)) return send(404, 'text/plain', 'Not found');
		const words = url.pathname.slice(CGI.length).split('/').filter(Boolean);
		if (words[0] === 'admin' && words[1] === 'translations') {
			return send(200, 'text/javascript', script(this.app, words[2] ?? this.language));
		}
		if (!session) {
			const fields = new URLSearchParams(body);
			const made = fields.has('luci_username')
				? this.access.login(fields.get('luci_username'), fields.get('luci_password')) : null;
			if (!made) return send(403, 'text/html', this.#login(fields.has('luci_username')), { 'X-LuCI-Login-Required': 'yes' });
			return send(302, 'text/plain', '', {
				Location: url.pathname,
				'Set-Cookie': `sysauth_http=${made.id}; path=/cgi-bin/luci; SameSite=strict; HttpOnly`,
			});
		}
		if (words[0] === 'admin' && words[1] === 'ubus') return this.#ubus(body, send);
		if (words[0] === 'admin' && words[1] === 'menu') {
			return send(200, 'application/json', JSON.stringify(this.access.menu(session, this.uci)));
		}
		if (words[0] === 'admin' && words[1] === 'uci') return this.#change(words[2], session, new URLSearchParams(`${body}&${url.search.slice(1)}`), send);
		if (words[0] === 'admin' && words[1] === 'logout') {
			this.access.sessions.delete(session.id);
			return send(302, 'text/plain', '', { Location: `${CGI}/` });
		}
		const page = this.access.resolve(this.access.menu(session, this.uci), words);
		if (!page) return send(404, 'text/html', '<!DOCTYPE html><title>Not found</title><h1>No such page</h1><p>or no right to see it</p>');
		return send(200, 'text/html', this.#page(page, words, session));
	}

	async #body(request) {
		const parts = [];
		let length = 0;
		for await (const part of request) {
			if ((length += part.length) > BODY_MAX) throw new Error('the request is too large');
			parts.push(part);
		}
		return Buffer.concat(parts).toString();
	}

	async #ubus(body, send) {
		let request = null;
		try { request = JSON.parse(body); } catch { /* answered as invalid */ }
		const answer = Array.isArray(request)
			? await Promise.all(request.map((one) => this.ubus.answer(one))) : await this.ubus.answer(request);
		send(200, 'application/json', JSON.stringify(answer));
	}

	/** What LuCI's own controller does for "Save & Apply" and "Revert", with the same status codes. */
	#change(action, session, fields, send) {
		const words = { 0: 200, 2: 400, 4: 404, 5: 204, 6: 403 };
		const may = this.access.may(session, 'ubus', 'uci', 'apply');
		if (!may) return send(403, 'text/plain', 'Permission denied');
		if (action === 'apply_rollback') {
			const [status] = this.ubus.apply(session, 90);
			if (status !== 0) return send(words[status], 'text/plain', '');
			return send(200, 'application/json', JSON.stringify({ token: session.token }));
		}
		if (action === 'apply_unchecked') {
			this.ubus.apply(session, 0);
			return send(204, 'text/plain', '');
		}
		if (action === 'confirm') {
			if (fields.get('token') !== session.token) return send(403, 'text/plain', '');
			return send(words[this.uci.confirm(session.id)[0]], 'text/plain', '');
		}
		if (action === 'revert') {
			for (const config of this.uci.configs()) this.uci.revert(session.id, config);
			return send(200, 'text/plain', 'OK');
		}
		return send(404, 'text/plain', '');
	}

	#file(path, send) {
		const name = normalize(decodeURIComponent(path)).replace(/^\/luci-static\//, '');
		const folders = this.luci
			? [join(this.app, 'htdocs/luci-static'), this.luci] : [join(this.app, 'htdocs/luci-static'), join(HERE, 'host')];
		for (const folder of folders) {
			const file = join(folder, name);
			if (!file.startsWith(folder) || !existsSync(file) || !statSync(file).isFile()) continue;
			return send(200, TYPES[extname(file)] ?? 'application/octet-stream', readFileSync(file));
		}
		return send(404, 'text/plain', 'Not found');
	}

	#head(title, scripts = true) {
		const language = escaped(this.language);
		const sheet = (file, media) => `<link rel="stylesheet" href="/luci-static/${file}"${media ? ` media="${media}"` : ''}>`;
		const style = this.luci ? sheet('bootstrap/cascade.css') + sheet('bootstrap/mobile.css', 'only screen and (max-device-width: 854px)') : sheet('host.css');
		// the translations come after the scripts that bring their own `_`
		return `<!DOCTYPE html>
<html lang="${language}"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
${style}
${this.luci && scripts ? '<script src="/luci-static/resources/cbi.js"></script>' : ''}
<script src="${CGI}/admin/translations/${language}"></script></head>`;
	}

	#login(again) {
		return `${this.#head('OpenWrt', false)}<body><header></header><div id="maincontent" class="container">
<form method="post" class="cbi-map"><h2>Authorization Required</h2>
${again ? '<div class="alert-message error">Invalid username and/or password! Please try again.</div>' : ''}
<p><label for="luci_username">Username</label> <input id="luci_username" name="luci_username" value="root" autocomplete="username"></p>
<p><label for="luci_password">Password</label> <input id="luci_password" name="luci_password" type="password" autocomplete="current-password"></p>
<button class="btn cbi-button-positive important">Log in</button></form></div></body></html>`;
	}

	#page(page, words, session) {
		const env = {
			media: '/luci-static/bootstrap', resource: '/luci-static/resources', scriptname: CGI,
			pathinfo: `/${words.join('/')}`, documentroot: '/www', requestpath: words, dispatchpath: page.words,
			pollinterval: this.pollInterval, ubuspath: '/ubus/', sessionid: session.id, token: session.token,
			nodespec: page.node, apply_rollback: 90, apply_holdoff: this.holdoff, apply_timeout: 5, apply_display: 0.5,
		};
		const data = (value) => JSON.stringify(value).replaceAll('<', '\\u003c');
		return `${this.#head(`OpenWrt | ${page.node.title ?? ''}`)}
<body class="lang_${escaped(this.language)}" data-page="${escaped(page.words.join('-'))}">
<script src="/luci-static/resources/luci.js"></script>
<script>L = new LuCI(${data(env)});</script>
<header><a class="brand" href="/">OpenWrt</a><ul class="nav" id="topmenu" style="display:none"></ul>
<div id="indicators" class="pull-right"></div></header>
<div id="maincontent" class="container"><div id="tabmenu" style="display:none"></div>
<div id="view"><div class="spinning">Loading…</div></div></div>
<footer><ul class="breadcrumb pull-right" id="modemenu" style="display:none"></ul></footer>
<script>L.require('ui').then((ui) => ui.instantiateView(${data(page.view)})); L.require('menu-bootstrap');</script>
</body></html>`;
	}
}

/** @returns {Promise<Bridge>} */
export function startBridge(options) {
	return new Bridge(options).listen(options.port);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	const { values } = parseArgs({
		options: {
			root: { type: 'string' }, port: { type: 'string', default: '0' }, luci: { type: 'string' }, within: { type: 'string' },
			device: { type: 'string', multiple: true }, language: { type: 'string' }, binary: { type: 'string' },
		},
	});
	if (!values.root) {
		console.error('bridge: --root FOLDER is missing');
		process.exit(2);
	}
	const bridge = await startBridge({
		...values, root: resolve(values.root), port: Number(values.port), devices: values.device, luci: values.luci && resolve(values.luci),
		within: values.within?.split(' ') ?? [],
	});
	console.log(bridge.url);
	await bridge.service.init('start');
	for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => bridge.close().then(() => process.exit(0)));
}

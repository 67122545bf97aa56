'use strict';
'require baseclass';
'require request';

// Stands in for LuCI's rpc.js: ubus calls as JSON-RPC 2.0. Written from its documented behaviour, for tests only.

let number = 1;
const STATUS = ['Command OK', 'Invalid command', 'Invalid argument', 'Method not found', 'Resource not found', 'No data received',
	'Permission denied', 'Request timeout', 'Not supported', 'Unspecified error', 'Connection lost'];

function named(params, args) {
	if (Array.isArray(params)) return [Object.fromEntries(params.map((name, i) => [name, args[i]])), args.slice(params.length)];
	if (L.isObject(params)) {
		const given = Object.entries(args[0] ?? {}).filter(([name]) => name in params);
		return [Object.fromEntries(given), args.slice(1)];
	}
	return [{}, args];
}

return baseclass.extend({
	async send(method, params) {
		const got = await request.post(L.env.ubuspath, { jsonrpc: '2.0', id: number++, method, params });
		if (!got.ok) L.raise('RPCError', 'failed with HTTP error %d: %s', got.status, got.statusText);
		return got.json();
	},

	async list(...names) {
		return (await this.send('list', names.length ? names : undefined)).result;
	},

	/** A function that calls a method: `expect` names the field of the answer and its type by a default. */
	declare(options) {
		return async (...args) => {
			const [params, rest] = named(options.params, args);
			const where = `${options.object}/${options.method}`;
			const message = await this.send('call', [L.session.getID(), options.object, options.method, params]);
			if (message.error) {
				if (message.error.code === -32002) await this.checkSession();
				L.raise('RPCError', 'RPC call to %s failed with error %d: %s', where, message.error.code, message.error.message);
			}
			const [code, data] = message.result;
			if (options.reject && code !== 0) {
				L.raise('RPCError', 'RPC call to %s failed with ubus code %d: %s', where, code, this.getStatusText(code));
			}
			let value = message.result.length > 1 ? data : code;
			const [expected] = Object.entries(options.expect ?? {});
			if (expected) {
				const kind = (v) => Object.prototype.toString.call(v);
				if (expected[0] !== '') value = value?.[expected[0]];
				if (value === undefined || value === null || kind(value) !== kind(expected[1])) value = expected[1];
			}
			return typeof options.filter === 'function' ? options.filter.call(this, value, params, ...rest) : value;
		};
	},

	async checkSession() {
		const message = await this.send('call', [L.session.getID(), 'session', 'access', { scope: 'uci', object: 'luci', function: 'read' }]);
		if (message.result?.[1]?.access) return;
		L.poll.stop();
		L.ui.showModal(_('Session expired'), [
			E('div', { class: 'alert-message warning' }, [_('A new login is required since the authentication session expired.')]),
			E('div', { class: 'right' }, E('div', { class: 'btn primary', click: () => location.reload() }, [_('Log in…')])),
		]);
	},

	getStatusText(code) {
		return _(STATUS[code] ?? 'Unknown error code');
	},

	getSessionID: () => L.session.getID(),
	getBaseURL: () => L.env.ubuspath,
});

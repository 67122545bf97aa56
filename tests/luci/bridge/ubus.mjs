// The ubus objects that LuCI's client talks to, each with the answers of the real one as far as the app's pages need them.
// `phoneprov` is the real plugin. The rest are stand-ins: for rpcd (session, uci, rc, file), procd (service, system), netifd
// (network.interface) and LuCI's own plugins (luci, luci-rpc).

import { OK, INVALID, NOT_FOUND, NO_DATA, DENIED } from './uci.mjs';

const NO_METHOD = 3;
const UCI_WRITES = ['add', 'set', 'delete', 'rename', 'order', 'revert', 'commit'];

export class Ubus {
	constructor({ access, uci, service, start }) {
		Object.assign(this, { access, uci, service });
		// rpcd asks a plugin for its methods when it starts
		this.methods = start ?? service.methods();
		this.calls = [];
	}

	/** One JSON-RPC 2.0 request. */
	async answer(request) {
		const id = request?.id ?? null;
		const fail = (code, message) => ({ jsonrpc: '2.0', id, error: { code, message } });
		if (request?.jsonrpc !== '2.0' || typeof request.method !== 'string') return fail(-32600, 'Invalid request');
		if (request.method === 'list') return { jsonrpc: '2.0', id, result: await this.#list(request.params) };
		if (request.method !== 'call') return fail(-32601, 'Method not found');
		const [sid, object, method, args = {}] = Array.isArray(request.params) ? request.params : [];
		if (typeof object !== 'string' || typeof method !== 'string' || typeof args !== 'object' || args === null
			|| Array.isArray(args) || 'ubus_rpc_session' in args) {
			return fail(-32602, 'Invalid parameters');
		}
		const session = this.access.session(sid);
		const open = object === 'session' && (method === 'access' || method === 'login')
			|| object === 'luci' && method === 'getFeatures';
		if (!(open || this.access.may(session, 'ubus', object, method))) return fail(-32002, 'Access denied');
		this.calls.push({ object, method, args });
		const found = object === 'phoneprov' ? this.#plugin : this[`_${object.replace(/[.-]/g, '_')}`];
		if (!found) return fail(-32000, 'Object not found');
		return { jsonrpc: '2.0', id, result: await found.call(this, method, args, session) };
	}

	async #list(params) {
		const plugin = await this.methods;
		const names = ['file', 'luci', 'luci-rpc', 'network.interface', 'phoneprov', 'rc', 'service', 'session', 'system', 'uci'];
		if (!params?.length) return names;
		return params.includes('phoneprov') ? { phoneprov: plugin } : {};
	}

	async #plugin(method, args, session) {
		if (!Object.hasOwn(await this.methods, method)) return [NO_METHOD];
		const answer = await this.service.call(method, { ...args, ubus_rpc_session: session.id });
		return answer === null ? [NO_DATA] : [OK, answer];
	}

	_session(method, args, session) {
		if (method === 'access') {
			if (!session) return [OK, { access: false }];
			return [OK, { access: this.access.may(session, args.scope ?? 'ubus', args.object, args.function) }];
		}
		if (method === 'login') {
			const made = this.access.login(String(args.username), String(args.password));
			return made ? [OK, { ubus_rpc_session: made.id, acls: made.scopes, expires: 300, timeout: 300, data: { username: made.name } }] : [DENIED];
		}
		if (method === 'destroy') return this.access.sessions.delete(session.id) ? [OK] : [NOT_FOUND];
		if (method === 'get' || method === 'list') return [OK, { values: { username: session.name, token: session.token } }];
		return [NO_METHOD];
	}

	_uci(method, args, session) {
		const may = (config, how) => this.access.may(session, 'uci', config, how);
		if (method === 'configs') return [OK, { configs: this.uci.configs().filter((c) => may(c, 'read')) }];
		if (method === 'apply') return this.apply(session, args.rollback ? Number(args.timeout) || 60 : 0);
		if (method === 'confirm') return this.uci.confirm(session.id);
		if (method === 'changes' && args.config === undefined) {
			const [status, { changes }] = this.uci.changes(session.id);
			return [status, { changes: Object.fromEntries(Object.entries(changes).filter(([c]) => may(c, 'read'))) }];
		}
		if (typeof args.config !== 'string') return [INVALID];
		if (!may(args.config, UCI_WRITES.includes(method) ? 'write' : 'read')) return [DENIED];
		if (method === 'changes') return this.uci.changes(session.id, args.config);
		if (method === 'revert') return this.uci.revert(session.id, args.config);
		if (method === 'commit') {
			this.#committed(this.uci.commit(session.id, [args.config]));
			return [OK];
		}
		if (!['get', 'set', 'add', 'delete', 'rename', 'order'].includes(method)) return [NO_METHOD];
		return this.uci[method](session.id, args);
	}

	apply(session, timeout) {
		return this.uci.apply(session.id, timeout, (configs) => this.#committed(configs));
	}

	/** procd's trigger: the service named for a config is reloaded. */
	#committed(configs) {
		if (configs.some((c) => ['phoneprov', 'firewall', 'dhcp', 'qos', 'sqm', 'qosify'].includes(c))) this.service.init('reload');
	}

	async _rc(method, args) {
		const row = { start: 95, stop: 10, enabled: this.service.enabledAtBoot, running: this.service.running };
		if (method === 'list') return [OK, args.name === undefined || args.name === 'phoneprov' ? { phoneprov: row } : {}];
		if (method !== 'init') return [NO_METHOD];
		if (args.name !== 'phoneprov') return [NOT_FOUND];
		const done = this.service.init(args.action);
		if (done === null) return [INVALID];
		await done;
		return [OK];
	}

	_service(method, args) {
		if (method !== 'list') return [NO_METHOD];
		if (args.name !== undefined && args.name !== 'phoneprov') return [OK, {}];
		const main = { running: true, pid: this.service.pid, respawn: { threshold: 3600, timeout: 5, retry: 0 } };
		return [OK, this.service.running ? { phoneprov: { instances: { main } } } : {}];
	}

	_luci(method) {
		return method === 'getFeatures' ? [OK, { ipv6: true, firewall4: true, dnsmasq: {} }] : [NO_METHOD];
	}

	_luci_rpc(method) {
		if (method === 'getBoardJSON') return [OK, { model: { id: 'test', name: 'Test bed' }, network: {} }];
		return [OK, {}];
	}

	_network(method) {
		return method === 'get_proto_handlers' ? [OK, { none: {}, static: {}, dhcp: {} }] : [NO_METHOD];
	}

	_network_device() {
		return [OK, {}];
	}

	_network_interface(method) {
		if (method !== 'dump') return [NO_METHOD];
		const interfaces = (this.uci.read('network') ?? []).filter((s) => s.type === 'interface').map((s) => ({
			interface: s.name, up: true, available: true, proto: s.options.proto, device: s.options.device,
			l3_device: s.options.device, 'ipv4-address': [],
		}));
		return [OK, { interface: interfaces }];
	}

	_system(method) {
		if (method === 'board') return [OK, { hostname: 'OpenWrt', model: 'Test bed', release: { distribution: 'OpenWrt' } }];
		return [OK, { uptime: Math.round(process.uptime()), localtime: Math.round(Date.now() / 1000) }];
	}

	_file() {
		return [NOT_FOUND];
	}
}

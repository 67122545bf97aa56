// Stands in for LuCI's luci.js, as far as the app's views need it: the class system, `L`, `E()`, the loader of `'require …'`
// lines, and the modules baseclass, dom, poll, request, session and view. Written from their documented behaviour, for tests
// only. `_()` and `N_()` come with the translations, which are loaded before.

(function () {
	'use strict';

	const env = {};
	const modules = new Map();

	// ---- classes -------------------------------------------------------------------------------------------------

	/** Classes made by `extend`: `__init__` is the constructor, `this.super(name, args)` the method of the class above. */
	class Base {
		constructor(...args) {
			this.__init__?.(...args);
		}

		super(name, args = []) {
			const levels = (Object.hasOwn(this, '__levels') ? this : Object.defineProperty(this, '__levels', { value: {} })).__levels;
			const before = levels[name];
			let proto = before ?? this;
			if (!before) while (!Object.hasOwn(proto, name)) proto = Object.getPrototypeOf(proto);
			do proto = Object.getPrototypeOf(proto); while (proto && !Object.hasOwn(proto, name));
			if (!proto) throw new ReferenceError(`no class above has '${name}'`);
			levels[name] = proto;
			try {
				return typeof proto[name] === 'function' ? proto[name].apply(this, args) : proto[name];
			} finally {
				levels[name] = before;
			}
		}

		varargs(args, offset, ...more) {
			return [...more, ...[...args].slice(offset)];
		}

		static extend(properties) {
			const Made = class extends this {};
			Object.defineProperties(Made.prototype, Object.getOwnPropertyDescriptors(properties));
			Object.defineProperty(Made, 'name', { value: properties.__name__ ?? 'Anonymous' });
			return Made;
		}

		static singleton(properties, ...args) {
			return new (this.extend(properties))(...args);
		}

		static instantiate(args) {
			return new this(...args);
		}

		static isSubclass(other) {
			return typeof other === 'function' && other.prototype instanceof this;
		}
	}

	// ---- texts ---------------------------------------------------------------------------------------------------

	const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

	/** %s %d %i %u %f %x %X %o %b %c %j %%, and LuCI's %h (HTML), %q (quotes), %t (a time span), %m (with k, M, G). */
	String.prototype.format = function (...args) {
		let next = 0;
		return this.replace(/%(?:(\d+)\$)?([-+0 ]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g, (whole, at, flags, width, digits, kind) => {
			if (kind === '%') return '%';
			const value = at ? args[at - 1] : args[next++];
			let text;
			switch (kind) {
			case 's': text = String(value); if (digits) text = text.slice(0, digits); break;
			case 'h': text = escaped(value); break;
			case 'q': text = String(value).replace(/["']/g, (c) => `&#${c.charCodeAt(0)};`); break;
			case 'd': case 'i': text = String(Math.trunc(+value) || 0); break;
			case 'u': text = String(Math.abs(Math.trunc(+value)) || 0); break;
			case 'f': text = digits ? (+value || 0).toFixed(digits) : String(+value || 0); break;
			case 'x': text = Math.floor(+value).toString(16); break;
			case 'X': text = Math.floor(+value).toString(16).toUpperCase(); break;
			case 'o': text = Math.floor(+value).toString(8); break;
			case 'b': text = Math.floor(+value).toString(2); break;
			case 'c': text = String.fromCharCode(value); break;
			case 'j': text = JSON.stringify(value); break;
			case 't': text = span(+value || 0); break;
			case 'm': return scaled(+value || 0, +width || 1000, +(digits ?? 2));
			default: return whole;
			}
			if (text.length < width) text = flags.includes('-') ? text.padEnd(width) : text.padStart(width, flags.includes('0') ? '0' : ' ');
			return text;
		});
	};

	function span(seconds) {
		const s = Math.floor(seconds);
		const parts = [[86400, 'd'], [3600, 'h'], [60, 'm']].map(([n, unit]) => [Math.floor(s / n), unit, n]);
		const [d, h, m] = [parts[0][0], Math.floor((s % 86400) / 3600), Math.floor((s % 3600) / 60)];
		return `${d ? `${d}d ` : ''}${d || h ? `${h}h ` : ''}${d || h || m ? `${m}m ` : ''}${s % 60}s`;
	}

	function scaled(value, base, digits) {
		const units = ['', 'K', 'M', 'G', 'T', 'P'];
		let i = 0;
		while (Math.abs(value) >= base && i < units.length - 1) { value /= base; i++; }
		return `${i ? value.toFixed(digits) : value} ${units[i]}${i && base === 1024 ? 'i' : ''}`;
	}

	// ---- dom -----------------------------------------------------------------------------------------------------

	const instances = new WeakMap();
	const data = new WeakMap();

	const dom = {
		elem: (e) => e instanceof Node,

		parse(html) {
			const template = document.createElement('template');
			template.innerHTML = html;
			return template.content.firstChild;
		},

		matches: (node, selector) => node instanceof Element && node.matches(selector),
		parent: (node, selector) => (node instanceof Element ? node.closest(selector) : null),

		/** A text that stands alone is HTML; in an array it is text. */
		append(node, children) {
			if (!dom.elem(node)) return null;
			if (Array.isArray(children)) {
				for (const child of children) {
					if (dom.elem(child)) node.appendChild(child);
					else if (child !== null && child !== undefined) node.appendChild(document.createTextNode(String(child)));
				}
				return node.lastChild;
			}
			if (typeof children === 'function') return dom.append(node, children(node));
			if (dom.elem(children)) return node.appendChild(children);
			if (children !== null && children !== undefined) {
				node.innerHTML = String(children);
				return node.lastChild;
			}
			return null;
		},

		content(node, children) {
			if (!dom.elem(node)) return null;
			while (node.firstChild) node.removeChild(node.firstChild);
			return dom.append(node, children);
		},

		attr(node, names, value) {
			if (!(node instanceof Element)) return;
			const all = typeof names === 'string' ? { [names]: value } : names;
			for (const [name, v] of Object.entries(all ?? {})) {
				if (v === null || v === undefined) continue;
				if (typeof v === 'function') node.addEventListener(name, v);
				else node.setAttribute(name, typeof v === 'object' ? JSON.stringify(v) : v);
			}
		},

		create(what, ...rest) {
			const attributes = L.isObject(rest[0]) && !dom.elem(rest[0]) && !Array.isArray(rest[0]) ? rest.shift() : null;
			const [children] = rest;
			let node;
			if (dom.elem(what)) node = what;
			else if (Array.isArray(what)) {
				node = document.createDocumentFragment();
				dom.append(node, what);
				dom.append(node, children);
				return node;
			} else if (what.startsWith('<')) node = dom.parse(what);
			else node = document.createElement(what);
			dom.attr(node, attributes);
			dom.append(node, children);
			return node;
		},

		data(node, ...args) {
			if (!data.has(node)) data.set(node, {});
			const store = data.get(node);
			if (args.length === 0) return store;
			if (args.length === 1) return args[0] === null ? (data.delete(node), null) : store[args[0]];
			if (args[1] === null) delete store[args[0]]; else store[args[0]] = args[1];
			return args[1];
		},

		bindClassInstance(node, instance) {
			instances.set(node, instance);
			return instance;
		},

		findClassInstance(node) {
			for (let n = node; n; n = n.parentNode) if (instances.has(n)) return instances.get(n);
			return null;
		},

		callClassMethod(node, method, ...args) {
			const instance = dom.findClassInstance(node);
			return typeof instance?.[method] === 'function' ? instance[method](...args) : null;
		},

		isEmpty(node, ignore) {
			return [...(node?.children ?? [])].every((child) => child.classList.contains('hidden') || ignore?.(child));
		},
	};

	// ---- poll ----------------------------------------------------------------------------------------------------

	const poll = {
		queue: [], timer: null, tick: null,

		add(fn, interval) {
			if (poll.queue.some((e) => e.fn === fn)) return false;
			poll.queue.push({ fn, interval: interval || env.pollinterval || 5, busy: false });
			if (poll.tick !== null && !poll.active()) poll.start();
			return true;
		},

		remove(fn) {
			const before = poll.queue.length;
			poll.queue = poll.queue.filter((e) => e.fn !== fn);
			if (!poll.queue.length && poll.stop()) poll.tick = 0;
			return poll.queue.length < before;
		},

		start() {
			if (poll.active()) return false;
			poll.tick = 0;
			if (poll.queue.length) {
				poll.timer = setInterval(poll.step, 1000);
				poll.step();
				document.dispatchEvent(new CustomEvent('poll-start'));
			}
			return true;
		},

		stop() {
			if (!poll.active()) return false;
			clearInterval(poll.timer);
			poll.timer = null;
			document.dispatchEvent(new CustomEvent('poll-stop'));
			return true;
		},

		active: () => poll.timer !== null,

		step() {
			for (const e of poll.queue) {
				if (poll.tick % e.interval !== 0 || e.busy) continue;
				e.busy = true;
				Promise.resolve().then(() => e.fn()).finally(() => { e.busy = false; });
			}
			poll.tick += 1;
		},
	};

	// ---- request, session ----------------------------------------------------------------------------------------

	const request = {
		async request(url, options = {}) {
			const query = options.query ? new URLSearchParams(options.query) : null;
			const method = (options.method ?? 'GET').toUpperCase();
			const init = { method, credentials: 'same-origin', headers: { ...options.headers } };
			if (options.timeout) init.signal = AbortSignal.timeout(options.timeout);
			if (options.content !== undefined) {
				init.body = typeof options.content === 'string' ? options.content : JSON.stringify(options.content);
				init.headers['Content-Type'] ??= typeof options.content === 'string' ? 'application/x-www-form-urlencoded' : 'application/json';
			} else if (query && method === 'POST') {
				init.body = query;
			} else if (query) {
				url += `?${query}`;
			}
			const began = Date.now();
			const got = await fetch(url, init);
			const text = await got.text();
			return {
				ok: got.ok, status: got.status, statusText: got.statusText, headers: got.headers, url: got.url,
				responseText: text, duration: Date.now() - began, text: () => text, json: () => JSON.parse(text),
			};
		},
		get: (url, options) => request.request(url, { ...options, method: 'GET' }),
		post: (url, content, options) => request.request(url, { ...options, method: 'POST', content }),
		poll: { add() {}, start: () => poll.start(), stop: () => poll.stop(), active: () => poll.active() },
		addInterceptor() {},
	};

	const STORE = 'luci-session-store';
	const session = {
		getID: () => env.sessionid ?? '0'.repeat(32),
		getToken: () => env.token ?? null,
		getLocalData(key) {
			const all = JSON.parse(sessionStorage.getItem(STORE) ?? '{}')[env.sessionid] ?? {};
			return key === undefined ? all : all[key] ?? null;
		},
		setLocalData(key, value) {
			const all = session.getLocalData();
			if (value === null) delete all[key]; else all[key] = value;
			sessionStorage.setItem(STORE, JSON.stringify({ [env.sessionid]: all }));
			return true;
		},
	};

	// ---- view ----------------------------------------------------------------------------------------------------

	const View = Base.extend({
		__name__: 'View',

		async __init__() {
			const place = document.getElementById('view');
			try {
				await ready;
				const nodes = await this.render(await this.load());
				dom.content(place, nodes);
				dom.append(place, this.addFooter());
			} catch (e) {
				L.error(e);
			}
		},

		load() {},
		render() {},

		maps() {
			return [...document.querySelectorAll('#maincontent .cbi-map')];
		},

		handleSave() {
			return Promise.all(this.maps().map((map) => dom.callClassMethod(map, 'save')));
		},

		async handleSaveApply(ev, mode) {
			await this.handleSave(ev);
			return modules.get('ui').changes.apply(mode === '0' || mode === 0);
		},

		handleReset() {
			return Promise.all(this.maps().map((map) => dom.callClassMethod(map, 'reset')));
		},

		addFooter() {
			const ui = modules.get('ui');
			if (!this.handleSaveApply && !this.handleSave && !this.handleReset) return E([]);
			const maps = [...document.querySelectorAll('#view .cbi-map')].map((m) => dom.findClassInstance(m)).filter(Boolean);
			const readonly = maps.length ? maps.every((m) => m.readonly) : !L.hasViewPermission();
			const button = (method, text, style) => (this[method] ? E('button', {
				class: `cbi-button cbi-button-${style}`, disabled: readonly || null, click: ui.createHandlerFn(this, method),
			}, [text]) : '');
			const apply = this.handleSaveApply ? new ui.ComboButton('0', { 0: [_('Save & Apply')], 1: [_('Apply unchecked')] }, {
				classes: { 0: 'btn cbi-button cbi-button-apply important', 1: 'btn cbi-button cbi-button-negative important' },
				click: ui.createHandlerFn(this, 'handleSaveApply'), disabled: readonly || null,
			}).render() : '';
			return E('div', { class: 'cbi-page-actions' }, [
				apply, ' ', button('handleSave', _('Save'), 'save'), ' ', button('handleReset', _('Reset'), 'reset'),
			]);
		},
	});

	// ---- loader --------------------------------------------------------------------------------------------------

	/** The `'require a.b as c'` lines at the head of a source. */
	function requires(source) {
		const found = [];
		const head = /^(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|;|(['"])(use strict|require[ \t]+([\w./-]+)(?:[ \t]+as[ \t]+([A-Za-z_$]\w*))?)\1)/;
		for (let rest = source, m; (m = head.exec(rest)); rest = rest.slice(m[0].length)) {
			if (m[3]) found.push({ name: m[3], as: m[4] ?? m[3].replace(/\W/g, '_') });
		}
		return found;
	}

	async function load(name, from) {
		if (from.includes(name)) throw new Error(`${name} requires itself by way of ${from.join(', ')}`);
		const url = `${env.resource}/${name.replaceAll('.', '/')}.js`;
		const got = await request.get(url);
		if (!got.ok) throw new Error(`HTTP error ${got.status} while loading class file "${url}"`);
		const needs = requires(got.text());
		const given = await Promise.all(needs.map((n) => L.require(n.name, [...from, name])));
		const factory = new Function('window', 'document', 'L', ...needs.map((n) => n.as), `${got.text()}\n//# sourceURL=${url}`);
		const Made = factory(window, document, window.L, ...given);
		if (!Base.isSubclass(Made)) throw new TypeError(`"${name}" factory yields invalid constructor`);
		return new Made();
	}

	// ---- L -------------------------------------------------------------------------------------------------------

	let loaded;
	const ready = new Promise((done) => { loaded = done; });

	class LuCI {
		constructor(given) {
			Object.assign(env, given);
			window.L = this;
			this.env = env;
			for (const [name, module] of Object.entries({ dom, poll, request, session })) {
				modules.set(name, module);
				this[name] = module;
			}
			Object.assign(this, { Class: Base, Poll: poll, Request: request, view: View });
			modules.set('baseclass', Base);
			modules.set('view', View);
			const parsed = new Promise((done) => document.addEventListener('DOMContentLoaded', done, { once: true }));
			Promise.all([parsed, this.require('ui'), this.require('rpc'), this.require('form')]).then(([, ui]) => {
				document.addEventListener('poll-start', () => ui.showIndicator('poll-status', _('Refreshing'), () => (poll.active() ? poll.stop() : poll.start())));
				document.addEventListener('poll-stop', () => ui.showIndicator('poll-status', _('Paused'), () => poll.start(), 'inactive'));
				poll.start();
				loaded();
				document.dispatchEvent(new CustomEvent('luci-loaded'));
			}).catch((e) => this.error(e));
		}

		/** The modules of LuCI's core are ready; others are files, each loaded once. */
		require(name, from = []) {
			if (!modules.has(name)) {
				const loading = load(name, from).then((module) => {
					modules.set(name, module);
					if (!name.includes('.')) this[name] = module;
					return module;
				});
				loading.catch(() => modules.delete(name));
				modules.set(name, loading);
			}
			return Promise.resolve(modules.get(name));
		}

		bind(fn, self, ...args) { return fn.bind(self, ...args); }
		isObject(value) { return value !== null && typeof value === 'object'; }
		isArguments(value) { return Object.prototype.toString.call(value) === '[object Arguments]'; }
		naturalCompare(a, b) { return String(a).localeCompare(String(b), undefined, { numeric: true }); }

		toArray(value) {
			if (value === null || value === undefined) return [];
			if (Array.isArray(value)) return value;
			if (typeof value === 'object') return [value];
			const text = String(value).trim();
			return text === '' ? [] : text.split(/\s+/);
		}

		sortedKeys(object, key, mode) {
			const by = (k) => (key === undefined || key === null ? k : object[k]?.[key]);
			return Object.keys(object ?? {}).sort((a, b) => (mode === 'num' ? by(a) - by(b) : this.naturalCompare(by(a), by(b))));
		}

		sortedArray(list) { return this.toArray(list).slice().sort((a, b) => this.naturalCompare(a, b)); }

		async resolveDefault(promise, value) {
			try { return await promise; } catch { return value; }
		}

		path(prefix, parts) {
			const words = parts.flat().filter((p) => p !== null && p !== undefined).map((p) => String(p).replace(/^\/+|\/+$/g, '')).filter(Boolean);
			return [prefix, ...words].join('/');
		}
		url(...parts) { return this.path(env.scriptname, parts); }
		resource(...parts) { return this.path(env.resource, parts); }
		media(...parts) { return this.path(env.media, parts); }
		location() { return this.path(env.scriptname, env.requestpath); }

		hasSystemFeature() { return null; }
		hasViewPermission() {
			return env.nodespec?.satisfied === false || !env.nodespec ? null : !env.nodespec.readonly;
		}

		raise(type, text, ...args) {
			if (type instanceof Error) throw type;
			const e = new (typeof window[type] === 'function' ? window[type] : Error)(text ? text.format(...args) : 'Unspecified error');
			e.name = type ?? 'Error';
			throw e;
		}

		/** As `raise`, and on the screen. */
		error(type, text, ...args) {
			try {
				this.raise(type, text, ...args);
			} catch (e) {
				console.error(e);
				const ui = modules.get('ui');
				if (!e.reported) {
					if (ui?.addNotification) ui.addNotification(e.name || _('Runtime error'), E('pre', {}, [e.message]), 'danger');
					else dom.content(document.querySelector('#maincontent'), E('pre', { class: 'alert-message error' }, [e.message]));
					e.reported = true;
				}
				throw e;
			}
		}
	}

	window.LuCI = LuCI;
	window.E = (...args) => dom.create(...args);

	/** Rows of a table anew: arrays of cells below the row of titles. */
	window.cbi_update_table = (table, rows, placeholder) => {
		const target = typeof table === 'string' ? document.querySelector(table) : table;
		if (!target) return;
		const titles = [...target.querySelectorAll('.th')].map((th) => th.textContent.trim());
		target.querySelectorAll('tr:not(.table-titles):not(.cbi-section-table-titles)').forEach((row) => row.remove());
		rows.forEach((cells, i) => {
			const row = E('tr', { class: `tr cbi-rowstyle-${(i % 2) + 1}` }, cells.map((cell, j) => E('td', { class: 'td', 'data-title': titles[j] || null }, [cell].flat())));
			target.appendChild(row);
		});
		if (!rows.length && placeholder !== undefined) {
			target.appendChild(E('tr', { class: 'tr placeholder' }, E('td', { class: 'td', colspan: titles.length || null }, placeholder)));
		}
	};
})();

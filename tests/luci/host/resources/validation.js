'use strict';
'require baseclass';

// Stands in for LuCI's validation.js: the data types of form fields, such as `or(ipaddr, hostname)` and `range(1, 9)`. Written
// from their documentation, for tests only. File names are not looked up.

const whole = (v) => (/^-?\d+$/.test(v) ? Number(v) : NaN);
const decimal = (v) => (/^-?\d+(\.\d+)?$/.test(v) ? Number(v) : NaN);
const bytes = (v) => new TextEncoder().encode(v).length;
const ip4 = (v) => /^\d{1,3}(\.\d{1,3}){3}$/.test(v) && v.split('.').every((n) => Number(n) <= 255);

function ip6(v) {
	if (!/^[0-9a-f:.]+$/i.test(v)) return false;
	try { return new URL(`http://[${v}]/`).hostname.length > 0; } catch { return false; }
}

const net = (v, is, most) => {
	const [address, mask, ...rest] = v.split('/');
	return rest.length === 0 && is(address) && (mask === undefined || (/^\d+$/.test(mask) && Number(mask) <= most) || (most === 32 && ip4(mask)));
};

/** Each: [does it hold?, what is expected]. `check` runs another type on the same value. */
const TYPES = {
	string: () => [true, ''],
	integer: (v) => [!isNaN(whole(v)), _('valid integer value')],
	uinteger: (v) => [whole(v) >= 0, _('positive integer value')],
	float: (v) => [!isNaN(decimal(v)), _('valid decimal value')],
	ufloat: (v) => [decimal(v) >= 0, _('positive decimal value')],
	bool: (v) => [['0', '1', 'yes', 'no', 'on', 'off', 'true', 'false', 'enabled', 'disabled'].includes(v), _('valid boolean')],
	ip4addr: (v, nomask) => [nomask ? ip4(v) : net(v, ip4, 32), _('valid IPv4 address or network')],
	ip6addr: (v, nomask) => [nomask ? ip6(v) : net(v, ip6, 128), _('valid IPv6 address or prefix')],
	ipaddr: (v, nomask) => [nomask ? ip4(v) || ip6(v) : net(v, ip4, 32) || net(v, ip6, 128), _('valid IP address or prefix')],
	cidr4: (v) => [v.includes('/') && net(v, ip4, 32), _('valid IPv4 CIDR')],
	cidr6: (v) => [v.includes('/') && net(v, ip6, 128), _('valid IPv6 CIDR')],
	cidr: (v) => [v.includes('/') && (net(v, ip4, 32) || net(v, ip6, 128)), _('valid IPv4 or IPv6 CIDR')],
	port: (v) => [whole(v) >= 0 && whole(v) <= 65535, _('valid port value')],
	macaddr: (v) => [/^([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}$/i.test(v), _('valid MAC address')],
	hostname: (v) => [v.length <= 253 && /^(?=.*[^0-9.])[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$/i.test(v), _('valid hostname')],
	host: (v) => [ip4(v) || ip6(v) || TYPES.hostname(v)[0], _('valid hostname or IP address')],
	uciname: (v) => [/^[A-Za-z0-9_]+$/.test(v), _('valid UCI identifier')],
	network: (v) => [/^[A-Za-z0-9_.@-]+$/.test(v), _('valid network name')],
	device: (v) => [/^[^\s/]{1,15}$/.test(v), _('valid network device name between 1 and %d characters').format(15)],
	range: (v, min, max) => [decimal(v) >= min && decimal(v) <= max, _('value between %f and %f').format(min, max)],
	min: (v, min) => [decimal(v) >= min, _('value greater or equal to %f').format(min)],
	max: (v, max) => [decimal(v) <= max, _('value smaller or equal to %f').format(max)],
	length: (v, n) => [bytes(v) === n, _('value with %d characters').format(n)],
	rangelength: (v, min, max) => [bytes(v) >= min && bytes(v) <= max, _('value between %d and %d characters').format(min, max)],
	minlength: (v, n) => [bytes(v) >= n, _('value with at least %d characters').format(n)],
	maxlength: (v, n) => [bytes(v) <= n, _('value with at most %d characters').format(n)],
	file: () => [true, ''],
	directory: () => [true, ''],
};

/** `name(argument, …)` to { name, args }. */
function parse(text) {
	let at = 0;
	const skip = () => { while (/\s/.test(text[at] ?? '')) at++; };
	function one() {
		skip();
		const m = /^(?:"([^"]*)"|'([^']*)'|[\w.$*:-]+)/.exec(text.slice(at));
		if (!m) L.raise('SyntaxError', 'Unhandled token "%s"', text.slice(at));
		at += m[0].length;
		const quoted = m[1] ?? m[2];
		if (quoted !== undefined) return quoted;
		skip();
		const args = [];
		if (text[at] === '(') {
			do { at++; skip(); if (text[at] !== ')') args.push(one()); skip(); } while (text[at] === ',');
			if (text[at] !== ')') L.raise('SyntaxError', 'Unhandled token "%s"', text);
			at++;
		} else if (!isNaN(m[0])) return Number(m[0]);
		return { name: m[0], args };
	}
	return one();
}

/** null, or what is expected. */
function wrong(type, value) {
	if (type === value || typeof type !== 'object') return type === value ? null : String(type);
	const { name, args } = type;
	if (name === 'or') {
		const all = args.map((a) => wrong(a, value));
		return all.includes(null) ? null : _('One of the following: %s').format(all.map((w) => `\n - ${w}`).join(''));
	}
	if (name === 'and') return args.map((a) => wrong(a, value)).find((w) => w !== null) ?? null;
	if (name === 'neg') return wrong(args[0], value.replace(/^\s*!\s*/, ''));
	if (name === 'list') return value.split(/\s+/).filter(Boolean).map((v) => wrong(args[0], v)).find((w) => w !== null) ?? null;
	if (!TYPES[name]) {
		if (!args.length) return value === name ? null : name;
		L.raise('SyntaxError', 'Unhandled token "%s"', name);
	}
	const [good, expected] = TYPES[name](value, ...args);
	return good ? null : expected;
}

return baseclass.extend({
	/** A function that says whether the field's value may stand, and marks the field. */
	create(field, type, optional, fn) {
		const parsed = parse(type ?? 'string');
		const mark = (message) => {
			field.classList.toggle('cbi-input-invalid', message !== null);
			if (message === null) field.removeAttribute('data-tooltip');
			else field.setAttribute('data-tooltip', message);
			field.dispatchEvent(new CustomEvent(message === null ? 'validation-success' : 'validation-failure', { bubbles: true, detail: { message } }));
			return message === null;
		};
		return () => {
			const value = field.value ?? '';
			const expected = value.length === 0 ? (optional ? null : _('non-empty value')) : wrong(parsed, value);
			if (expected !== null) return mark(_('Expecting: %s').format(expected));
			for (const check of [fn].flat()) {
				const said = typeof check === 'function' ? check(value) : true;
				if (said !== true) return mark(String(said));
			}
			return mark(null);
		};
	},
});

// SPDX-License-Identifier: MPL-2.0
'use strict';
'require baseclass';
'require rpc';

// All that the pages ask the router: the methods of ubus object `phoneprov`, and the service. Each returns a promise; it
// is rejected with an Error whose message is for the screen. `offline` is set on it when the agent does not run.

const SECOND = 1000;
// As long as the agent itself may take for an answer, and some.
const JOB_PATIENCE = 330 * SECOND;
// Answers about a job that may be lost on the way, one after the other, before we stop asking.
const JOB_LOST = 15;

function failure(message, more) {
	return Object.assign(new Error(message), more);
}

function wordsOf(code) {
	switch (code) {
	case 2:
		return _('The router did not understand the request. After an update, reload this page.');
	case 3:
	case 4:
		return _('The router does not know this request. Is the package phoneprov installed? If it is, reload rpcd and log in again.');
	case 5:
		return _('The router gave no answer. Its system log may say why.');
	case 6:
		return _('Your login may look, but not change anything here.');
	case 7:
		return _('The router did not answer in time. Try again.');
	default:
		return _('The router could not do it: %s.').format(rpc.getStatusText(code));
	}
}

function wordsOfTransport(error) {
	const text = String(error?.message ?? error);

	if (/-32002|Access denied/.test(text))
		return wordsOf(6);
	if (/-32000|Object not found/.test(text))
		return wordsOf(4);
	if (/time/i.test(text))
		return wordsOf(7);

	return _('The router cannot be reached: %s').format(text);
}

// What rpcd gives back: the object that the method answered, or the number of what went wrong.
function answered(reply) {
	if (typeof reply == 'number')
		throw failure(wordsOf(reply || 5), { code: reply });
	if (reply == null || typeof reply != 'object')
		throw failure(wordsOf(5));
	if (typeof reply.error == 'string' && !('state' in reply && 'id' in reply))
		throw failure(reply.error, { offline: reply.running === false });
	return reply;
}

function declare(object, method, params, options) {
	const invoke = rpc.declare(Object.assign({ object, method, params }, options));

	return (...args) => invoke(...args).then(answered, error => {
		throw failure(wordsOfTransport(error), { transport: true });
	});
}

const ours = (method, ...params) => declare('phoneprov', method, params);

const askJob = ours('job', 'id');
const askPhones = ours('phones', 'after');
const rcList = declare('rc', 'list', [ 'name', 'skip_running_check' ]);
const rcInit = rpc.declare({ object: 'rc', method: 'init', params: [ 'name', 'action' ], reject: true });
const serviceList = rpc.declare({ object: 'service', method: 'list', params: [ 'name' ], expect: { '': {} } });

const wait = milliseconds => new Promise(resolve => window.setTimeout(resolve, milliseconds));

// An answer holds some hundred phones; `more` says how many it leaves out.
async function allPhones() {
	const phones = [];
	let more = 0;

	do {
		const answer = await askPhones(phones.length ? phones[phones.length - 1].mac : undefined);

		phones.push(...answer.phones ?? []);
		more = answer.phones?.length ? answer.more ?? 0 : 0;
	} while (more > 0);
	return { phones };
}

async function watch(id, onStep) {
	const end = Date.now() + JOB_PATIENCE;
	let lost = 0;
	let pause = 300;

	while (Date.now() < end) {
		let job;

		try {
			job = await askJob(id);
			lost = 0;
		}
		catch (error) {
			if (!error.transport || ++lost > JOB_LOST)
				throw error;
		}

		if (job && onStep)
			onStep(job);
		if (job?.state == 'done')
			return job.result ?? {};
		if (job?.state == 'failed')
			throw failure(job.error ?? _('It failed, and the router did not say why.'), { result: job.result, steps: job.steps });

		await wait(pause);
		pause = Math.min(pause * 1.3, 2 * SECOND);
	}

	throw failure(_('There is no result after five minutes. The log may say more.'));
}

// A method that answers at once with a job: the promise is that of the job's result. `onStep`, when it is given as one
// argument more than the method has, sees each answer about the job.
function slow(method, ...params) {
	const start = ours(method, ...params);

	return (...args) => start(...args.slice(0, params.length))
		.then(reply => reply.job == null ? reply : watch(reply.job, args[params.length]));
}

const play = slow('probe', 'vendor', 'mac', 'device');

return baseclass.extend({
	status: ours('status'),
	phones: allPhones,
	phone: ours('phone', 'mac'),
	events: ours('events', 'count'),
	options: ours('options'),
	config: ours('config'),
	qos: ours('qos'),

	// The file as it is; or `sections` as they would be.
	check: ours('check', 'sections'),
	// One value as it is typed.
	checkValue: ours('check', 'type', 'name', 'option', 'value'),

	forget: ours('forget', 'mac'),
	admit: ours('admit', 'minutes'),

	refresh: slow('refresh', 'mac'),
	resync: slow('resync', 'mac', 'reboot'),
	accept: slow('accept', 'mac'),
	reject: slow('reject', 'mac'),
	rollback: slow('rollback', 'mac', 'back', 'name'),
	/** Without a device: the first network that the agent serves, which knows more of them than /etc/config/network says. */
	async probe(vendor, mac, device, onStep) {
		const status = device == null ? await this.status().catch(() => null) : null;
		const live = (status?.devices ?? []).find(one => one.addresses?.length);

		return play(vendor, mac, device ?? live?.name, onStep);
	},

	/** May this login change anything? */
	mayWrite() {
		return L.hasViewPermission() === true;
	},

	/** Resolves to `{ known, enabled, running }` of the service, `known` false where the router does not say. */
	service() {
		return Promise.all([
			L.resolveDefault(rcList('phoneprov', true), {}),
			L.resolveDefault(serviceList('phoneprov'), {})
		]).then(([ scripts, services ]) => {
			const script = scripts.phoneprov;
			const instances = Object.values(services.phoneprov?.instances ?? {});

			return {
				known: script != null,
				enabled: script?.enabled === true,
				running: instances.some(instance => instance.running === true)
			};
		});
	},

	/** `start`, `stop`, `restart`, `enable` or `disable`. It always says yes; ask for the state afterwards. */
	serviceDo(action) {
		return rcInit('phoneprov', action).catch(error => {
			throw failure(wordsOfTransport(error));
		});
	},

	wait
});

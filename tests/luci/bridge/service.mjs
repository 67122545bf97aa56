// Runs the real agent and the real rpcd plugin. A stand-in for procd, for the init script's part in starting, stopping and
// reloading (openwrt-package/files/phoneprov.init), and for rpcd's way of calling exec plugins. What it does not do: jail,
// user, firewall, respawn, `qos watch`; the agent's config is read where it is, not from a copy.

import { spawn } from 'node:child_process';
import { openSync, closeSync, existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const ANSWER_MAX = 256 * 1024;
const ANSWER_PATIENCE = 120_000;

export class Service {
	/**
	 * @param {object} o
	 * @param {string} o.binary phoneprov
	 * @param {string} o.config what /etc/config/phoneprov is on a router
	 * @param {string} o.uciFolder what /etc/config is
	 * @param {string} o.log file for what the agent says
	 * @param {string[]} o.devices what the init script would find for `list network`
	 * @param {string[]} o.within a command and its arguments that run another command (in a network namespace)
	 * @param {import('./uci.mjs').Uci} o.uci
	 */
	constructor(o) {
		Object.assign(this, o);
		this.child = null;
		this.enabledAtBoot = true;
		this.turn = Promise.resolve();
	}

	#argv(args) {
		return [...this.within, this.binary, ...args];
	}

	/** Runs it to its end: { code, out, err } */
	run(args, input = '') {
		const [command, ...rest] = this.#argv(args);
		const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
		const said = { out: [], err: [] };
		child.stdout.on('data', (d) => said.out.push(d));
		child.stderr.on('data', (d) => said.err.push(d));
		child.stdin.on('error', () => {});
		child.stdin.end(input);
		const timer = setTimeout(() => child.kill('SIGKILL'), ANSWER_PATIENCE);
		return new Promise((resolve, reject) => {
			child.on('error', reject);
			child.on('close', (code) => {
				clearTimeout(timer);
				resolve({ code, out: Buffer.concat(said.out).toString(), err: Buffer.concat(said.err).toString() });
			});
		});
	}

	/** The plugin's methods, as rpcd asks for them when it starts. */
	async methods() {
		const { out, err } = await this.run(['rpcd', 'list', '--config', this.config]);
		try {
			return JSON.parse(out);
		} catch {
			console.error(`bridge: ${this.binary} rpcd list: no JSON: ${err || out}`);
			return {};
		}
	}

	/** An answer of the plugin, or null where rpcd would have none to give. */
	async call(method, args) {
		const { out, err } = await this.run(['rpcd', 'call', method, '--config', this.config, '--uci', this.uciFolder], JSON.stringify(args));
		if (err) console.error(`bridge: phoneprov ${method}: ${err.trim()}`);
		if (Buffer.byteLength(out) > ANSWER_MAX) return null;
		try {
			const answer = JSON.parse(out);
			return answer && typeof answer === 'object' && !Array.isArray(answer) ? answer : null;
		} catch {
			return null;
		}
	}

	get running() {
		return this.child !== null;
	}

	get pid() {
		return this.child?.pid ?? null;
	}

	#wanted() {
		try {
			return this.uci.read('phoneprov')?.find((s) => s.type === 'agent')?.options.enabled === '1';
		} catch {
			// a file with a mistake in it is no wish to switch it off
			return null;
		}
	}

	#runDir() {
		return this.uci.read('phoneprov')?.find((s) => s.type === 'agent')?.options.run_dir ?? '/var/run/phoneprov';
	}

	async #others(verb) {
		for (const other of ['dhcp', 'qos']) {
			const args = [other, verb, '--config', this.config, '--uci', this.uciFolder, '--no-reload'];
			if (verb === 'apply') args.push(...this.devices.flatMap((d) => ['--device', d]), ...(other === 'qos' ? ['--wan', 'eth1'] : []));
			const { code, err } = await this.run(args);
			if (code !== 0) console.error(`bridge: phoneprov ${other} ${verb}: ${err.trim()}`);
		}
	}

	/** May this config be started with? Who is not root cannot give folders to another user, and has no need to. */
	async #prepared() {
		if (process.getuid() !== 0) return true;
		const { code, err } = await this.run(['prepare', '--config', this.config]);
		if (code !== 0) console.error(`bridge: ${err.trim()}`);
		return code === 0;
	}

	async #start() {
		if (this.child) return;
		if (this.#wanted() !== true) return void (await this.#others('remove'));
		if (!(await this.#prepared())) return;
		await this.#others('apply');
		const log = openSync(this.log, 'a');
		const devices = this.devices.flatMap((d) => ['--device', d]);
		const [command, ...args] = this.#argv(['run', '--config', this.config, '--uci', this.uciFolder, ...devices]);
		const child = spawn(command, args, { stdio: ['ignore', log, log] });
		closeSync(log);
		this.child = child;
		child.once('exit', () => { if (this.child === child) this.child = null; });
		const socket = `${this.#runDir()}/control.sock`;
		for (let tries = 0; tries < 200 && this.child === child; tries++) {
			if (existsSync(socket)) {
				const { code } = await this.run(['status', '--json', '--config', this.config]);
				if (code === 0) break;
			}
			await sleep(25);
		}
	}

	async #stop() {
		const child = this.child;
		if (!child) return;
		child.kill('SIGTERM');
		const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
		if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
		clearTimeout(timer);
		this.child = null;
	}

	async #reload() {
		const wanted = this.#wanted();
		if (wanted === null) return;
		if (!wanted) {
			await this.#stop();
			return void (await this.#others('remove'));
		}
		if (!(await this.#prepared())) return;
		if (!this.child) return void (await this.#start());
		await this.#others('apply');
		this.child?.kill('SIGHUP');
	}

	/** What `/etc/init.d/phoneprov ACTION` does. One at a time. */
	init(action) {
		const steps = {
			start: () => this.#start(),
			stop: async () => { await this.#stop(); await this.#others('remove'); },
			restart: async () => { await this.#stop(); await this.#start(); },
			reload: () => this.#reload(),
			enable: async () => { this.enabledAtBoot = true; },
			disable: async () => { this.enabledAtBoot = false; await this.#others('remove'); },
		};
		const step = Object.hasOwn(steps, action) ? steps[action] : null;
		if (!step) return null;
		this.turn = this.turn.then(step).catch((e) => console.error(`bridge: ${action}: ${e.message}`));
		return this.turn;
	}

	/** The end, whatever state it is in. */
	async end() {
		await this.turn;
		await this.#stop();
	}

	logText() {
		return existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
	}
}

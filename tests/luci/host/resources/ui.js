'use strict';
'require baseclass';
'require dom';
'require poll';
'require request';
'require uci';
'require validation';
'require widgets';

// Stands in for LuCI's ui.js: notifications, modal dialogs, indicators, tabs, the list of unsaved changes and applying them.
// The form fields are in widgets.js. Written from its documented behaviour, for tests only.

let modal = null, tip = null;

const changes = {
	changes: {},

	async init() {
		try {
			changes.renderChangeIndicator(await uci.changes());
		} catch { /* without the right to see them there are none */ }
	},

	renderChangeIndicator(all) {
		changes.changes = all;
		changes.setIndicator(Object.values(all ?? {}).reduce((n, list) => n + list.length, 0));
	},

	setIndicator(n) {
		if (n > 0) ui.showIndicator('uci-changes', `${_('Unsaved Changes')}: ${n}`, () => changes.displayChanges());
		else ui.hideIndicator('uci-changes');
	},

	displayChanges() {
		const list = Object.entries(changes.changes).flatMap(([config, all]) => [
			E('h5', {}, [`# /etc/config/${config}`]), ...all.map((words) => E('div', {}, [words.join(' ')])),
		]);
		ui.showModal(`${_('Configuration')} / ${_('Changes')}`, [
			E('div', { class: 'uci-change-list' }, list),
			E('div', { class: 'button-row' }, [
				E('button', { class: 'btn cbi-button', click: ui.hideModal }, [_('Close')]), ' ',
				E('button', { class: 'btn cbi-button cbi-button-positive important', click: () => changes.apply(true) }, [_('Save & Apply')]), ' ',
				E('button', { class: 'btn cbi-button cbi-button-reset', click: () => changes.revert() }, [_('Revert')]),
			]),
		]);
	},

	displayStatus(style, content) {
		if (!style) return ui.hideModal();
		ui.showModal('', [], 'alert-message', ...style.split(' '));
		dom.content(modal.firstElementChild, content);
		poll.stop();
	},

	post: (action, query) => request.request(L.url('admin/uci', action), { method: 'POST', query: { sid: L.env.sessionid, token: L.env.token, ...query } }),

	wait: (seconds) => new Promise((done) => setTimeout(done, seconds * 1000)),

	/** With `checked`, the changes are taken back by the router unless this page can confirm them. */
	async apply(checked) {
		changes.displayStatus('notice spinning', E('p', {}, [_('Starting configuration apply…')]));
		const started = await changes.post(checked ? 'apply_rollback' : 'apply_unchecked');
		if (checked && started.status === 204) {
			changes.displayStatus('notice', E('p', {}, [_('There are no changes to apply')]));
			await changes.wait(L.env.apply_display);
			ui.hideModal();
			return poll.start();
		}
		if (started.status !== (checked ? 200 : 204)) {
			changes.displayStatus('warning', E('p', {}, [_('Apply request failed with status %s').format(started.responseText || started.status)]));
			await changes.wait(L.env.apply_display);
			return ui.hideModal();
		}
		const end = Date.now() + L.env.apply_rollback * 1000;
		const token = checked ? started.json().token : null;
		changes.displayStatus('notice spinning', E('p', {}, [_('Applying configuration changes… %ds').format(L.env.apply_rollback)]));
		await changes.wait(L.env.apply_holdoff);
		while (checked) {
			const said = await changes.post('confirm', { token }).catch(() => ({ status: 0 }));
			if (said.status === 200 || said.status === 204) break;
			if (Date.now() > end) return changes.displayStatus('warning', E('p', {}, [_('Failed to confirm apply within %ds, waiting for rollback…').format(L.env.apply_rollback)]));
			await changes.wait(1);
		}
		document.dispatchEvent(new CustomEvent('uci-applied'));
		changes.setIndicator(0);
		changes.displayStatus('notice', E('p', {}, [_('Configuration changes applied.')]));
		await changes.wait(L.env.apply_display);
		location.href = location.href.split('#')[0];
	},

	async revert() {
		changes.displayStatus('notice spinning', E('p', {}, [_('Reverting configuration…')]));
		await changes.post('revert');
		document.dispatchEvent(new CustomEvent('uci-reverted'));
		changes.setIndicator(0);
		changes.displayStatus('notice', E('p', {}, [_('Changes have been reverted.')]));
		await changes.wait(L.env.apply_display);
		location.href = location.href.split('#')[0];
	},
};

const tabs = {
	/** Panes with data-tab and data-tab-title get a bar of tabs before the first. */
	initTabGroup(nodes) {
		const panes = [...nodes].filter((n) => n.nodeType === 1 && n.hasAttribute('data-tab'));
		if (!panes.length) return;
		const group = panes[0].parentNode;
		if (group.getAttribute('data-initialized') === 'true') return;
		group.setAttribute('data-initialized', true);
		const bar = E('ul', { class: 'cbi-tabmenu' }, panes.map((pane) => E('li', { 'data-tab': pane.dataset.tab }, [
			E('a', { href: '#', click: (ev) => { ev.preventDefault(); tabs.show(group, pane.dataset.tab); } }, [pane.dataset.tabTitle]),
		])));
		group.parentNode.insertBefore(bar, group);
		dom.data(group, 'bar', bar);
		const active = panes.find((p) => p.dataset.tabActive === 'true') ?? panes.find((p) => !tabs.isEmpty(p)) ?? panes[0];
		tabs.show(group, active.dataset.tab);
		tabs.updateTabs(null, group.parentNode);
	},

	isEmpty: (pane) => dom.isEmpty(pane, (n) => n.classList.contains('cbi-tab-descr')),

	show(group, name) {
		for (const pane of group.children) if (pane.hasAttribute('data-tab')) pane.dataset.tabActive = pane.dataset.tab === name;
		for (const tab of dom.data(group, 'bar').children) tab.className = tab.dataset.tab === name ? 'cbi-tab' : 'cbi-tab-disabled';
		group.querySelector(':scope > [data-tab-active=true]')?.dispatchEvent(new CustomEvent('cbi-tab-active', { detail: { tab: name } }));
	},

	/** Tabs without fields go, and those with wrong values are marked. */
	updateTabs(ev, root) {
		for (const pane of (root ?? document).querySelectorAll('[data-tab-title]')) {
			const bar = pane.parentNode && dom.data(pane.parentNode, 'bar');
			const tab = bar && [...bar.children].find((t) => t.dataset.tab === pane.dataset.tab);
			if (!tab) continue;
			tab.style.display = tabs.isEmpty(pane) ? 'none' : '';
			const wrong = pane.querySelectorAll('.cbi-input-invalid').length;
			tab.firstChild.toggleAttribute('data-errors', wrong > 0);
			if (wrong) tab.firstChild.setAttribute('data-errors', wrong);
		}
	},
};

const menu = {
	async load() {
		menu.tree ??= (await request.get(L.url('admin/menu'))).json();
		return menu.tree;
	},

	getChildren(node) {
		return Object.entries((node ?? menu.tree).children ?? {}).filter(([, n]) => n.satisfied && n.title)
			.map(([name, n]) => ({ ...n, name })).sort((a, b) => (a.order ?? 1000) - (b.order ?? 1000) || L.naturalCompare(a.name, b.name));
	},

	flushCache() { menu.tree = null; },
};

const { AbstractElement, Textfield, Textarea, Checkbox, Select, Dropdown, Combobox, ComboButton, DynamicList, Hiddenfield } = widgets;

const ui = baseclass.extend({
	AbstractElement, Textfield, Textarea, Checkbox, Select, Dropdown, Combobox, ComboButton, DynamicList, Hiddenfield,
	changes, tabs, menu,

	__init__() {
		modal = document.createElement('div');
		modal.id = 'modal_overlay';
		modal.tabIndex = -1;
		modal.innerHTML = '<div class="modal" role="dialog" aria-modal="true"></div>';
		modal.addEventListener('keydown', (ev) => {
			if (ev.key === 'Escape') modal.querySelector('.right > button, .right > .btn, .button-row > .btn')?.click();
		});
		tip = document.createElement('div');
		tip.className = 'cbi-tooltip';
		const attach = () => document.body.append(modal, tip);
		if (document.body) attach(); else document.addEventListener('DOMContentLoaded', attach);
		for (const kind of ['mouseover', 'focus']) document.addEventListener(kind, (ev) => this.showTooltip(ev), true);
		for (const kind of ['mouseout', 'blur']) document.addEventListener(kind, () => this.hideTooltip(), true);
		document.addEventListener('validation-failure', (ev) => { if (ev.target === document.activeElement) this.showTooltip(ev); });
		document.addEventListener('validation-success', () => this.hideTooltip());
		for (const kind of ['validation-failure', 'validation-success']) document.addEventListener(kind, (ev) => tabs.updateTabs(ev));
		for (const kind of ['uci-loaded', 'luci-loaded']) document.addEventListener(kind, () => changes.init());
	},

	showTooltip(ev) {
		const node = ev.target.closest?.('[data-tooltip]');
		if (!node) return;
		const place = node.getBoundingClientRect();
		tip.textContent = node.dataset.tooltip;
		tip.classList.add('shown');
		tip.classList.toggle('error', node.classList.contains('cbi-input-invalid'));
		Object.assign(tip.style, { left: `${place.left + scrollX}px`, top: `${place.bottom + scrollY + 4}px` });
	},

	hideTooltip() {
		tip.classList.remove('shown');
		tip.textContent = '';
	},

	showModal(title, children, ...classes) {
		const dialog = modal.firstElementChild;
		dialog.className = ['modal', ...classes].join(' ');
		dom.content(dialog, E('h4', {}, title));
		dom.append(dialog, children);
		document.body.classList.add('modal-overlay-active');
		modal.focus();
		return dialog;
	},

	hideModal() {
		document.body.classList.remove('modal-overlay-active');
		modal.blur();
	},

	addNotification(title, children, ...classes) {
		const text = E('div', { class: 'alert-text' });
		if (title !== null && title !== undefined) dom.append(text, E('h4', {}, title));
		dom.append(text, children);
		const note = E('div', { class: ['alert-message', ...classes].join(' ') }, [
			text, E('button', { class: 'btn', click: () => note.remove() }, [_('Dismiss')]),
		]);
		(document.querySelector('#maincontent') ?? document.body).prepend(note);
		return note;
	},

	addTimeLimitedNotification(title, children, timeout, ...classes) {
		const note = this.addNotification(title, children, ...classes);
		if (timeout > 0) setTimeout(() => note.remove(), timeout);
		return note;
	},

	showIndicator(id, label, handler, style) {
		const bar = document.querySelector('#indicators');
		if (!bar) return false;
		let node = bar.querySelector(`span[data-indicator="${id}"]`);
		if (!node) {
			node = E('span', { 'data-indicator': id, 'data-clickable': handler ? true : null, click: handler ?? null }, ['']);
			bar.append(node);
		}
		node.textContent = label;
		node.dataset.style = style === 'inactive' ? 'inactive' : 'active';
		return true;
	},

	hideIndicator(id) {
		document.querySelector(`#indicators span[data-indicator="${id}"]`)?.remove();
	},

	itemlist(node, items, separators) {
		const out = [];
		for (let i = 0; i < items.length; i += 2) {
			if (items[i + 1] === null || items[i + 1] === undefined) continue;
			if (out.length) out.push([separators].flat()[0] ?? E('br'));
			out.push(E('span', { class: 'nowrap' }, [items[i] ? E('strong', {}, [`${items[i]}: `]) : '', items[i + 1]]));
		}
		dom.content(node, out);
		return node;
	},

	addValidator(field, type, optional, fn, ...events) {
		const check = validation.create(field, type, optional, fn);
		for (const name of events.length ? events : ['blur', 'keyup']) field.addEventListener(name, check);
		check();
		return check;
	},

	/** The button is off and turning until the handler's promise is kept. */
	createHandlerFn(self, fn, ...args) {
		const handler = typeof fn === 'string' ? self[fn] : fn;
		if (typeof handler !== 'function') return null;
		return (...events) => {
			const node = events[0].currentTarget;
			node.classList.add('spinning');
			node.disabled = true;
			node.blur?.();
			Promise.resolve(handler.call(self, ...args, ...events)).finally(() => {
				node.classList.remove('spinning');
				node.disabled = false;
			});
		};
	},

	async instantiateView(path) {
		try {
			return await L.require(`view.${path.replaceAll('/', '.')}`);
		} catch (e) {
			dom.content(document.querySelector('#view'), null);
			L.error(e);
		}
	},
});

// the parts above speak of it by name
Object.assign(ui, { showModal: ui.prototype.showModal, hideModal: ui.prototype.hideModal, showIndicator: ui.prototype.showIndicator, hideIndicator: ui.prototype.hideIndicator });
return ui;

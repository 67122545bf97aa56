'use strict';
'require baseclass';
'require ui';

// Stands in for a theme's menu: the sections at the top and the tabs of the page.

return baseclass.extend({
	async __init__() {
		const tree = await ui.menu.load();
		const [first, second, third] = L.env.dispatchpath;
		const top = document.querySelector('#topmenu');
		for (const node of ui.menu.getChildren(tree.children[first])) {
			const below = ui.menu.getChildren(node).map((n) => E('li', {}, [E('a', { href: L.url(first, node.name, n.name) }, [_(n.title)])]));
			top.append(E('li', { class: 'dropdown' }, [E('a', { class: 'menu', href: '#' }, [_(node.title)]), E('ul', { class: 'dropdown-menu' }, below)]));
		}
		top.style.display = '';
		const page = tree.children[first]?.children[second]?.children[third];
		const tabs = ui.menu.getChildren(page ?? {}).map((n) => E('li', { class: n.name === L.env.dispatchpath[3] ? 'active' : '' }, [
			E('a', { href: L.url(first, second, third, n.name) }, [_(n.title)]),
		]));
		if (!tabs.length) return;
		const bar = document.querySelector('#tabmenu');
		bar.append(E('ul', { class: 'tabs' }, tabs));
		bar.style.display = '';
	},
});

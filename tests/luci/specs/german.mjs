// The app in German, where it is more than what stands on a tab when it opens: a brand's dialog, the guard in words, a test, a
// refusal, and what QoS says.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { atDesk, TOGETHER } from '../fixtures/desk.mjs';
import { parse } from '../translations.mjs';

const PO = new URL('../../../luci-app/po/de/phoneprov.po', import.meta.url);
/** Texts of several words that are others in German: none of them may be on the screen. */
const english = [...parse(readFileSync(PO, 'utf8')).entries.values()]
	.filter(({ id, strings }) => strings[0] !== id && id.length > 16 && /\s/.test(id) && !/[%<]/.test(id)).map(({ id }) => id);

async function german(desk, where) {
	const shown = await desk.page.locator('body').innerText();
	assert.deepEqual(english.filter((text) => shown.includes(text)), [], where);
}

describe('german', TOGETHER, () => {
	atDesk('Settings in German, with its dialogs and answers', { scene: 'two', office: { language: 'de' } }, async (desk) => {
		await desk.open('settings');
		for (const tab of ['Auffinden', 'Gespeicherte Konfigurationen', 'Sicherheit', 'Erweitert', 'Allgemein']) {
			await desk.tab(tab);
			await german(desk, tab);
			await desk.look(`german-${tab.replace(/\W+/g, '-')}`);
		}
		await desk.tab('Sicherheit');
		await desk.sees('Bei 2 Telefonen hält der Wächter nie etwas zurück');
		await desk.tab('Allgemein');
		await desk.button('Testen').click();
		await desk.sees('Ein Telefon dieser Marke bekommt seine Konfiguration.');
		await german(desk, 'the test');
		await desk.type('Anbieter', 'nirgendwo');
		await desk.page.waitForTimeout(500);
		await desk.page.locator('.cbi-page-actions').getByRole('button').nth(-2).click();
		await desk.sees('Nicht gespeichert: Der Agent lehnt das ab');
		await german(desk, 'a refusal');
		await desk.row('snom').getByRole('button').first().click();
		await desk.sees('Marke: snom', desk.dialog());
		await desk.sees('nicht im letzten Teil des Pfads', desk.dialog());
		await german(desk, 'a brand');
		await desk.look('german-brand');
	});

	atDesk('first steps in German', { scene: 'nothing', office: { language: 'de' } }, async (desk) => {
		await desk.open('settings');
		await desk.page.getByRole('region', { name: 'Erste Schritte' }).waitFor();
		await german(desk, 'first steps');
		await desk.look('german-first-steps');
	});

	atDesk('QoS in German', { scene: 'two', office: { language: 'de' } }, async (desk) => {
		await desk.open('qos');
		await desk.sees('Registrar von 2 Telefonen');
		await desk.sees('Proxy von 1 Telefon');
		await german(desk, 'qos');
		await desk.look('german-qos');
	});
});

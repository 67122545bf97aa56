// Every text of the pages is in the template and translated; the scan that says so finds what there is to find.

import { test, describe } from 'node:test';
import assert from 'node:assert/strict';
import { calls, check, languages, parse, texts } from '../translations.mjs';

const ids = (source) => calls(source, 'x.js').map(({ line, id, plural, context }) => [line, id, plural, context].filter((v) => v !== undefined));

describe('translations', () => {
	test('every text is in the template and in German', () => {
		assert.deepEqual(check(), []);
		assert.ok(languages().some(([name]) => name === 'de'));
		assert.ok(texts().size > 300);
	});

	test('texts are found wherever they stand in a script', () => {
		assert.deepEqual(ids(`a = _('one');\nb = [ _("it's"), _('don\\'t') ];`), [[1, 'one'], [2, "it's"], [2, "don't"]]);
		assert.deepEqual(ids("x = `${ _('in a template') } _('no') ${ f({ a: `${_('deep')}` }) }`;"), [[1, 'in a template'], [1, 'deep']]);
		assert.deepEqual(ids("_('put ' +\n  'together')"), [[1, 'put together']]);
		assert.deepEqual(ids("N_(n, 'one phone', '%d phones')"), [[1, 'one phone', '%d phones']]);
		assert.deepEqual(ids("_('Off', 'a context')"), [[1, 'Off', 'a context']]);
		assert.deepEqual(ids("_('%d of %d').format(a, f(b, c))"), [[1, '%d of %d']]);
		assert.deepEqual(ids("// _('a comment')\n/* _('another') */ s = \"_('a string')\"; r = /_\\('[/]regex'\\)/.test(x) / 2; _('yes')"), [[2, 'yes']]);
		assert.deepEqual(ids("list.map((_, i) => i); o._('no'); some_('no')"), []);
	});

	test('what cannot be translated is an error, with its place', () => {
		assert.throws(() => calls("\n_(words[x])", 'x.js'), /x\.js:2: _\(\) needs its texts written out/);
		assert.throws(() => calls('_(`a`)', 'x.js'), /written out/);
		assert.throws(() => calls("_('two  blanks')", 'x.js'), /single ones/);
	});

	test('a catalogue is read as it is written', () => {
		const { header, entries } = parse('msgid ""\nmsgstr ""\n"Language: de\\n"\n\n#: a.js:1\nmsgid "say \\"%s\\""\nmsgstr "„%s“"\n\n#, fuzzy\nmsgid "x"\nmsgid_plural "%d x"\nmsgstr[0] "a"\nmsgstr[1] "b"\n');
		assert.equal(header, 'Language: de\n');
		assert.deepEqual(entries.get('say "%s"').strings, ['„%s“']);
		assert.deepEqual([entries.get('x').strings, entries.get('x').flags], [['a', 'b'], ['fuzzy']]);
	});
});

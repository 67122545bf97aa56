#!/usr/bin/env python3
"""po2lmo.py FILE.po FILE.lmo: makes of a translation what LuCI reads on the router.

An .lmo file: the texts, each filled up with zeroes to four bytes; then the index, 16 bytes for each text (hash of the
key, number of its plural forms, where the text begins, its length), by hash; then where the index begins. All numbers
have 32 bits, the high byte first. The key is the text to translate: after its context and a byte 1, if it has one, and
before a byte 2 and the number of the form, if it has a plural. The hash 0 is the formula of the plural forms.
"""

import re
import struct
import sys

LINE = re.compile(r'(?:(msgctxt|msgid|msgid_plural|msgstr)(?:\[([0-9])\])?\s+)?"((?:[^"\\]|\\.)*)"$')
MASK = 0xFFFFFFFF


class Mistake(Exception):
    pass


def key_hash(key: bytes) -> int:
    """Paul Hsieh's hash, which begins with the length. Its last odd byte counts as signed."""

    def pair(at):
        return key[at] | key[at + 1] << 8

    def signed(at):
        return key[at] - (key[at] >> 7 << 8)

    value = len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        value = (value + pair(at)) & MASK
        value = value << 16 ^ pair(at + 2) << 11 ^ value
        value &= MASK
        value = (value + (value >> 11)) & MASK
    left = len(key) - whole
    if left == 3:
        value = (value + pair(whole)) & MASK
        value = (value ^ value << 16 ^ signed(whole + 2) << 18) & MASK
        value = (value + (value >> 11)) & MASK
    elif left == 2:
        value = (value + pair(whole)) & MASK
        value = (value ^ value << 11) & MASK
        value = (value + (value >> 17)) & MASK
    elif left == 1:
        value = (value + signed(whole)) & MASK
        value = (value ^ value << 10) & MASK
        value = (value + (value >> 1)) & MASK
    for left_by, right_by in (3, 5), (4, 17), (25, 6):
        value = (value ^ value << left_by) & MASK
        value = (value + (value >> right_by)) & MASK
    return value


def messages(lines):
    """What the file says: a list of {(field, plural form): text} with the number of the line where each begins."""
    found = []
    current = None
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            current = None
            continue
        match = LINE.match(line)
        if not match:
            raise Mistake(f'{number}: neither msgctxt, msgid, msgid_plural or msgstr with a "text", nor a text alone')
        field, form, text = match.groups()
        if field:
            after = current[0] if current else ""
            current = (field, int(form or 0))
            # a context, or a text that no context came before, begins a message
            if field == "msgctxt" or field == "msgid" and after != "msgctxt":
                found.append((number, {}))
            if not found or current in found[-1][1]:
                raise Mistake(f"{number}: {field} is not expected here")
            found[-1][1][current] = ""
        elif not current:
            raise Mistake(f"{number}: a text without a msgid or msgstr before it")
        found[-1][1][current] += text
    return found


def unquoted(number, text):
    """LuCI knows the escapes of a quotation mark and of a backslash, and shows others as they are written."""
    other = re.search(r'\\[^"\\]', re.sub(r'\\["\\]', "", text))
    if other:
        raise Mistake(f"{number}: LuCI would show {other.group()} as it stands here")
    return re.sub(r'\\(["\\])', r"\1", text)


def squeezed(text):
    """As LuCI looks it up."""
    return " ".join(text.split())


def entries(found):
    """(line, hash, plural forms, text) of each, in the order of the file."""
    keys = {}
    for number, fields in found:
        forms = {form: text for (field, form), text in fields.items() if field == "msgstr"}
        if ("msgid", 0) not in fields or 0 not in forms:
            raise Mistake(f"{number}: a message needs msgid and msgstr")
        key = squeezed(unquoted(number, fields["msgid", 0]))
        if not key:
            for line in forms[0].split("\\n"):
                if line.lower().startswith("plural-forms: "):
                    yield number, 0, 0, line[len("plural-forms: "):].strip().encode()
            continue
        if ("msgctxt", 0) in fields:
            key = squeezed(unquoted(number, fields["msgctxt", 0])) + "\1" + key
        plural = ("msgid_plural", 0) in fields
        if len(forms) > 1 and not plural:
            raise Mistake(f"{number}: plural forms, but no msgid_plural")
        for form, text in sorted(forms.items()):
            text = unquoted(number, text).encode()
            whole = (f"{key}\2{form}" if plural else key).encode()
            value = key_hash(whole)
            # what is not translated, or to itself, needs no entry
            if not text or text == whole:
                continue
            if keys.setdefault(value, whole) != whole:
                raise Mistake(f"{number}: {key!r} has the same hash as {keys[value]!r}: one must be worded otherwise")
            yield number, value, max(forms) + 1, text


def packed(found):
    texts = b""
    index = {}
    for number, value, forms, text in entries(found):
        if value in index:
            raise Mistake(f"{number}: the same text was translated before")
        index[value] = struct.pack(">4I", value, forms, len(texts), len(text))
        texts += text + bytes(-len(text) % 4)
    if not index:
        raise Mistake("1: nothing in this file is translated")
    return texts + b"".join(index[value] for value in sorted(index)) + struct.pack(">I", len(texts))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: po2lmo.py FILE.po FILE.lmo")
    try:
        with open(sys.argv[1], encoding="utf-8") as po:
            data = packed(messages(po))
        with open(sys.argv[2], "wb") as lmo:
            lmo.write(data)
    except Mistake as mistake:
        sys.exit(f"{sys.argv[1]}:{mistake}")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")


main()

"""Leaves the terms of the Apache License in a list of licences once.

    python3 tools/licences/terms_once.py < whole > shorter

Many parts come with a copy of their own that differs in line breaks at most. A copy whose words are those of an
earlier one stays as its first and last line with a sentence in between that tells where the words stand. What
follows behind the terms, which may name who holds the copyright, stays as it is.
"""

import re
import sys

HEAD = r"[ \t]*Apache License\s+Version 2\.0, January 2004"
END = r"[ \t]*END OF TERMS AND CONDITIONS"
TERMS = re.compile(f"^{HEAD}.*?^{END}", re.DOTALL | re.MULTILINE)
POINTER = """\
                                 Apache License
                           Version 2.0, January 2004

   [The terms stand in full further above, under the part {part}: word for word the same.]

   END OF TERMS AND CONDITIONS"""


# The first part of those whose licence it is.
PART = re.compile(r"^  (\S+ [0-9][^\s,]*)", re.MULTILINE)


def main():
    whole = sys.stdin.read()
    known = {}

    def shortened(found):
        words = " ".join(found.group().split())
        if words in known:
            return POINTER.format(part=known[words])
        known[words] = PART.findall(whole[whole.rindex("=" * 80, 0, found.start()) : found.start()])[0]
        return found.group()

    sys.stdout.write(TERMS.sub(shortened, whole))


if __name__ == "__main__":
    main()

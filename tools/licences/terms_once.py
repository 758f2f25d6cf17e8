"""Leaves each licence's terms in a list of licences once.

    python3 tools/licences/terms_once.py < whole > shorter

Many parts come with a copy of their own of the same terms. A copy whose words are those of an earlier one stays as a
sentence that tells where the words stand, the Apache License with its first and last line. Line breaks, addresses of web
pages and the letters of lists do not count. What stands before and behind the terms, which may name who holds the
copyright, stays as it is.
"""

import re
import sys

#: Where terms begin and end, the first and last line of which a copy keeps, and what it is called.
TERMS = (
    (r"^[ \t]*Apache License\s+Version 2\.0, January 2004", r"^[ \t]*END OF TERMS AND CONDITIONS", "The terms", True),
    (r"^[ \t]*APPENDIX: How to apply", r"limitations\s+under\s+the\s+License\.", "The appendix", False),
    (r"^[ \t]*Permission is hereby granted, free of charge", r"DEALINGS\s+IN\s+THE\s+SOFTWARE\.", "The permission", False),
)

# The first part of those whose licence it is.
PART = re.compile(r"^  (\S+ [0-9][^\s,]*)", re.MULTILINE)
# Above each licence.
RULE = "\n========\n"
# What may differ between copies of the same terms.
UNCOUNTED = re.compile(r"https?://\S+|\([a-z]\)|[\"'`“”*]")


def once(whole, begin, end, name, keeps_ends):
    known = {}

    def shortened(found):
        words = " ".join(UNCOUNTED.sub("", found.group()).split())
        above = whole[whole.rindex(RULE, 0, found.start()) : found.start()]
        part = next(iter(PART.findall(above)), above.strip("= \n").split("\n")[0])
        if known.setdefault(words, part) == part:
            return found.group()
        pointer = f"   [{name} in full: further above, under {known[words]}, with the same words.]"
        lines = found.group().split("\n")
        return "\n".join([*lines[:2], "", pointer, "", lines[-1]] if keeps_ends else [pointer])

    return re.sub(f"{begin}.*?{end}", shortened, whole, flags=re.DOTALL | re.MULTILINE)


def main():
    whole = sys.stdin.read()
    for terms in TERMS:
        whole = once(whole, *terms)
    sys.stdout.write(whole)


if __name__ == "__main__":
    main()

"""Keeps the text of each licence only once in a list of licences.

    python3 tools/licences/terms_once.py < whole > shorter

Many dependencies contain a separate copy of the same terms. A copy with the same words as an earlier one is replaced by
a sentence that refers to it; for the Apache License the first and last line stay. Line breaks, URLs and the letters of
lists are ignored in the comparison. Text before and after the terms, which may name the copyright holder, is kept.
"""

import re
import sys

#: Start and end of the terms, the first and last line that a copy keeps, and the licence's name.
TERMS = (
    (r"^[ \t]*Apache License\s+Version 2\.0, January 2004", r"^[ \t]*END OF TERMS AND CONDITIONS", "The terms", True),
    (r"^[ \t]*APPENDIX: How to apply", r"limitations\s+under\s+the\s+License\.", "The appendix", False),
    (r"^[ \t]*Permission is hereby granted, free of charge", r"DEALINGS\s+IN\s+THE\s+SOFTWARE\.", "The permission", False),
)

# The first dependency under a licence.
PART = re.compile(r"^  (\S+ [0-9][^\s,]*)", re.MULTILINE)
# The line above each licence.
RULE = "\n========\n"
# Text that may differ between copies of the same terms.
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

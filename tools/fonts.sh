#!/usr/bin/env bash
# Makes the fonts in assets/fonts from the published ones, with only the letters that the window needs and digits of
# equal width (the feature tnum), so that numbers do not jump. Needs npm, curl, and fonttools, brotli and
# opentype-feature-freezer from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
target=$PWD/assets/fonts

(cd "$work" && npm pack --silent inter-ui@4.1.1 && tar xzf inter-ui-4.1.1.tgz)
# Latin. Titles in Greek and Cyrillic are shown in the regular weight.
letters="U+0020-007E,U+00A0-017F,U+0192,U+01CD-01DC,U+0218-021B,U+02C6,U+02DA,U+02DC"
letters+=",U+1E9E,U+2010-2015,U+2018-201F,U+2020-2022,U+2026,U+2030,U+2032,U+2033,U+2039,U+203A"
letters+=",U+2044,U+20AC,U+2122,U+2190-2193,U+2212,U+2215,U+221E,U+2248,U+2260,U+2264,U+2265"
for weight in SemiBold Regular; do
    [ "$weight" = SemiBold ] || letters+=",U+0370-03FF,U+0400-045F,U+0490-0491"
    fonttools ttLib.woff2 decompress -o "$work/$weight.ttf" "$work/package/web/Inter-$weight.woff2"
    pyftfeatfreeze --features tnum "$work/$weight.ttf" "$work/$weight-tnum.ttf"
    pyftsubset "$work/$weight-tnum.ttf" --unicodes="$letters" --layout-features=kern,mark,mkmk,ccmp,locl \
        --no-hinting --desubroutinize --output-file="$target/Inter-$weight.ttf"
done
cp "$work/package/LICENSE.txt" "$target/Inter-LICENSE.txt"

# The icons' code points, as named in crates/gui/src/widgets/fonts.rs.
icons=$(grep --only-matching '\\u{[0-9A-F]*}' crates/gui/src/widgets/fonts.rs | tr --delete '\\u{}' | sed 's/^/U+/' | paste --serial --delimiters=,)
curl --silent --fail --location https://static.crates.io/crates/egui-phosphor/egui-phosphor-0.11.0.crate | tar xz -C "$work"
pyftsubset "$work/egui-phosphor-0.11.0/res/Phosphor.ttf" --unicodes="$icons" --layout-features='' --no-hinting \
    --output-file="$target/Phosphor.ttf"
(cd "$work" && npm pack --silent @phosphor-icons/core@2.1.1 && tar xzf phosphor-icons-core-2.1.1.tgz package/LICENSE)
cp "$work/package/LICENSE" "$target/Phosphor-LICENSE.txt"

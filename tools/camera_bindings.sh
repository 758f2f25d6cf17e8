#!/usr/bin/env bash
# Makes the declarations of Linux's camera interface in crates/v4l2-sys-mit: those of <linux/videodev2.h> that the v4l
# crate, nokhwa and crates/engine/src/capture/camera/v4l2 name. If one of them names another, add it here.
#
# Needs libclang1-14 or later, libc6-dev and libc6-dev-arm64-cross; builds bindgen once into target/tools. Fails if the
# declarations differ between x86-64 and 64-bit ARM.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.72.1
tools=$PWD/target/tools
file=crates/v4l2-sys-mit/src/bindings.rs

constants='V4L2_CID_(BRIGHTNESS|CONTRAST|SATURATION|HUE|GAMMA|EXPOSURE|GAIN|WHITE_BALANCE_TEMPERATURE|SHARPNESS'
constants+='|BACKLIGHT_COMPENSATION|(PAN|TILT|FOCUS|ZOOM|IRIS)_RELATIVE)|V4L2_CTRL_FLAG_NEXT_(CTRL|COMPOUND)'
# Those that are read or written.
fields='time_t|v4l2_(buffer|capability|captureparm|control|ext_controls?|fmtdesc|format|frmivalenum|frmivaltypes'
fields+='|frmsizeenum|frmsizetypes|outputparm|pix_format|query_ext_ctrl|querymenu|requestbuffers|std_id|streamparm)'
# Those that are only parts of numbers of calls, which contain their sizes.
sizes='v4l2_(audio|audioout|crop|cropcap|edid|enc_idx|encoder_cmd|exportbuffer|framebuffer|frequency|input'
sizes+='|jpegcompression|modulator|output|queryctrl|sliced_vbi_cap|standard|tuner)'
# Those that are only members of the ones above.
members='v4l2_(meta_format|plane|sdr_format|sliced_vbi_format|vbi_format|window)'
# What the controls of video codecs point to; the pointers stay, to anything.
codecs='v4l2_(area|(ctrl|fwht|h264|hevc|mpeg2|vp8|vp9)_.*)'

grep --quiet --fixed-strings "\"bindgen-cli $version " "$tools/.crates.toml" 2>/dev/null ||
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" \
        "bindgen-cli@$version" --no-default-features --features runtime
rm -rf "$tools/build"

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
echo '#include <linux/videodev2.h>' >"$work/header.h"
# declarations MACHINE [OPTION]...: prints them as Clang with these options reads them for this machine.
declarations() {
    "$tools/bin/bindgen" "$work/header.h" --no-doc-comments \
        --allowlist-item "$constants" --allowlist-type "$fields|$sizes" \
        --opaque-type "$sizes|$members" --blocklist-type "($sizes|$members)__bindgen_ty_.*" \
        --blocklist-type "$codecs" \
        --raw-line '// By tools/camera_bindings.sh; not to be edited.' \
        -- --target="$1-unknown-linux-gnu" "${@:2}" |
        sed --regexp-extended "s/\*mut $codecs,/*mut ::std::os::raw::c_void,/"
}
declarations x86_64 >"$work/x86_64.rs"
declarations aarch64 -isystem /usr/aarch64-linux-gnu/include >"$work/aarch64.rs"
cmp "$work/x86_64.rs" "$work/aarch64.rs"
cp "$work/x86_64.rs" "$file"

#!/bin/sh
# @NAME@: installs StyleForge, or removes it again.
#
#   sh @NAME@.run [FOLDER]            installs it as FOLDER/lib/styleforge, with links in FOLDER/bin and FOLDER/share
#   sh @NAME@.run --remove [FOLDER]   removes both
#
# FOLDER is ~/.local by default, and /usr/local for root. Your own styles and settings are kept.
set -eu

fail() {
    echo "error: $1" >&2
    exit "${2:-1}"
}

action=install
case ${1:-} in
--remove)
    action=remove
    shift
    ;;
-*)
    sed -n '2,/^set/{s/^# \{0,1\}//p}' "$0"
    exit 2
    ;;
esac
if [ "$(id -u)" -eq 0 ]; then
    folder=${1:-/usr/local}
else
    folder=${1:-${HOME:?}/.local}
fi
# The menu entry contains the name of this folder.
case $folder in
*[\"\`\$\\\|\&%]*) fail "$folder contains one of the characters \"\`\$\\|&%; choose another folder" 2 ;;
esac
[ "$action" = remove ] || mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# Not FOLDER/share/styleforge, where a user's own styles are.
home=$folder/lib/styleforge
links=$home/links

remove() {
    while IFS= read -r file; do
        [ ! -L "$folder/$file" ] || rm "$folder/$file"
        (cd "$folder" && rmdir -p "${file%/*}" 2>/dev/null) || true
    done <"$links"
    rm -r "$home"
    rmdir "$folder/lib" 2>/dev/null || true
}

# Updates the desktop's list of which program opens which files. The list of an empty folder is removed.
update_desktop() {
    entries=$folder/share/applications
    [ -d "$entries" ] || return 0
    if ls "$entries" | grep -q '\.desktop$'; then
        if command -v update-desktop-database >/dev/null; then
            update-desktop-database -q "$entries" || true
        fi
    else
        rm -f "$entries/mimeinfo.cache"
        (cd "$folder" && rmdir -p share/applications 2>/dev/null) || true
    fi
}

if [ "$action" = remove ]; then
    [ -e "$links" ] || fail "StyleForge is not installed in $folder"
    remove
    update_desktop
    echo "Removed StyleForge from $folder."
    exit
fi

archive=$(($(sed -n '/^#ARCHIVE$/{=;q}' "$0") + 1))
files=$(tail -n "+$archive" "$0" | tar -tzf - | sed -n -e '/\/$/d' -e '/^share\/styleforge\//d' -e '/^share\/doc\//d' -e p)
echo "$files" | while IFS= read -r file; do
    if [ -e "$folder/$file" ] && [ ! -L "$folder/$file" ]; then
        fail "$folder/$file exists and is not from a .run; remove it first"
    fi
done
[ ! -e "$links" ] || remove
mkdir -p "$home"
echo "$files" >"$links"
tail -n "+$archive" "$0" | tar -xzf - -C "$home"
entry=$home/share/applications/styleforge.desktop
sed "s|^Exec=styleforge|Exec=\"$folder/bin/styleforge\"|" "$entry" >"$entry.new"
mv "$entry.new" "$entry"
while IFS= read -r file; do
    mkdir -p "$folder/${file%/*}"
    ln -sf "$home/$file" "$folder/$file"
done <"$links"
update_desktop
echo "Installed StyleForge in $folder. Start $folder/bin/styleforge, or find it in the menu."
exit
#ARCHIVE

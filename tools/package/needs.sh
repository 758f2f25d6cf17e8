# For scripts that need tools: they look for all of them first, so that one run names everything that is missing.

missing=()
packages=()
hints=()

# Notes a tool or a folder that is missing, and how to get it: a package of Debian, or a sentence.
need() {
    if [ -d "$1" ] || command -v "$1" >/dev/null || [[ " ${missing[*]} " == *" $1 "* ]]; then
        return
    fi
    missing+=("$1")
    case $2 in
    *" "*) hints+=("$2") ;;
    *) packages+=("$2") ;;
    esac
}

# Ends the script if anything is missing.
end_if_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    {
        echo "error: missing: ${missing[*]}"
        [ ${#packages[@]} -eq 0 ] || echo "  apt-get install" $(printf '%s\n' "${packages[@]}" | sort --unique)
        [ ${#hints[@]} -eq 0 ] || printf '  %s\n' "${hints[@]}" | sort --unique
    } >&2
    exit 1
}

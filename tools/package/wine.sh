#!/usr/bin/env bash
# Runs a program for Windows: tools/package/wine.sh PROGRAM [ARGUMENT]...
#
# Needs gcc-mingw-w64-x86-64 and wine64. Debian 12's wine lacks the library that Rust's programs take random numbers
# from; it is made here from another function of Windows. The system that wine makes is kept in target/package/windows.
set -euo pipefail
system=$(cd "$(dirname "$0")/../.." && pwd)/target/package/windows
if ! [ -e "$system/library/bcryptprimitives.dll" ]; then
    mkdir -p "$system/library"
    x86_64-w64-mingw32-gcc -shared -o "$system/library/bcryptprimitives.dll" -x c - -ladvapi32 <<'END'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return SystemFunction036(data, (ULONG)length);
}
END
fi
export WINEPREFIX=$system WINEDEBUG=${WINEDEBUG:--all} WINEPATH="Z:${system//\//\\}\\library"
exec "$(command -v wine64 || echo /usr/lib/wine/wine64)" "$@"

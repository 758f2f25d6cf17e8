#!/usr/bin/env bash
# Runs a program for Windows: tools/package/wine.sh PROGRAM [ARGUMENT]...
#
# Needs gcc-mingw-w64-x86-64 and wine64. Debian 12's wine lacks the library that Rust's programs take random numbers
# from; it is made here from another function of Windows. The system that wine makes is kept in target/package/windows.
set -euo pipefail
system=$(cd "$(dirname "$0")/../.." && pwd)/target/package/windows
library=$system/drive_c/windows/system32/bcryptprimitives.dll
if ! [ -e "$library" ]; then
    mkdir -p "${library%/*}"
    x86_64-w64-mingw32-gcc -shared -o "$library" -x c - -ladvapi32 <<'END'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return SystemFunction036(data, (ULONG)length);
}
END
fi
export WINEPREFIX=$system WINEDEBUG=${WINEDEBUG:--all}
exec "$(command -v wine64 || echo /usr/lib/wine/wine64)" "$@"

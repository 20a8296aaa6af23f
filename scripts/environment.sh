#!/bin/sh
# Makes the virtual environment that the Makefile installs into: finds a Python that will do, creates the folder, and links the
# checkout into it (a path file and the command `qianshao`), so that no package of ours has to be built.
# Usage: scripts/environment.sh FOLDER. The variable PYTHON names an interpreter to use instead of looking for one.
set -eu
folder=$1
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

if [ -x "$folder/bin/python" ] && ! fits "$folder/bin/python"; then
    echo "$folder was made by a Python that is gone or too old; making it anew"
    rm -rf "$folder"
fi

if [ ! -x "$folder/bin/python" ]; then
    found=
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        if fits "$name"; then
            found=$name
            break
        fi
    done
    if [ -z "$found" ]; then
        if [ -n "${PYTHON:-}" ]; then
            echo "PYTHON=$PYTHON does not run, or is not Python 3.11, 3.12 or 3.13." >&2
        else
            echo "Qianshao needs Python 3.11, 3.12 or 3.13; here is $(python3 --version 2>/dev/null || echo none)." >&2
        fi
        echo "Install one (for example: apt install python3 python3-venv), or name it: make run PYTHON=/path/to/python3.12" >&2
        exit 1
    fi
    if ! "$found" -m venv "$folder"; then
        rm -rf "$folder"
        echo "$found cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
fi

packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$root" > "$packages/qianshao.pth"
# -P: a folder named `bot` where somebody happens to stand is not ours
rm -f "$folder/bin/qianshao"
cat > "$folder/bin/qianshao" <<'SCRIPT'
#!/bin/sh
exec "$(dirname -- "$0")/python" -P -m bot "$@"
SCRIPT
chmod +x "$folder/bin/qianshao"

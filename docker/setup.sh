#!/usr/bin/env bash
# Everything the node needs on Debian 12 or Ubuntu with Python 3.11: system packages, .venv, exact Python packages.
# Quick when nothing is missing. Leaves the machine as it was, but for packages and .venv.
# Usage: docker/setup.sh [--check]     --check only lists what is missing, and fails if anything is
set -euo pipefail
cd "$(dirname "$0")/.."

# what the node and its tests call            -> the Debian package that brings it
needs=(
    "/usr/sbin/Orthanc:orthanc"
    "/usr/share/orthanc/plugins/libOrthancPython.so:orthanc-python"
    "/usr/share/orthanc/plugins/libOrthancDicomWeb.so:orthanc-dicomweb"
    "/usr/bin/storescu:dcmtk"
    "/usr/bin/dciodvfy:dicom3tools"
    "/usr/bin/pdftotext:poppler-utils"
    "/usr/bin/chromium:chromium"
    "/usr/bin/cc:gcc"
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf:fonts-noto-core"
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc:fonts-noto-cjk"
)

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local candidate
    for candidate in python3.11 python3; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# PyRadiomics comes as source alone: it is compiled here, against the headers of the Python that runs it.
python_headers() {
    "$1" -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())'
}

missing_packages() {
    local need python
    python=$(find_python) || echo python3.11-venv
    if [ -n "${python:-}" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then echo python3.11-venv; fi
    if [ -z "$python" ] || ! python_headers "$python"; then printf '%s\n' python3.11-dev libc6-dev; fi
    for need in "${needs[@]}"; do
        [ "${need#*:}" = orthanc ] && [ -x "${NODAL_ORTHANC:-}" ] && continue
        [ -e "${need%%:*}" ] || echo "${need#*:}"
    done
}

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Debian starts Orthanc's daemon when its package is installed: deny that during the installation and afterwards,
# unless the package had been there before.
install_packages() {
    local policy=/usr/sbin/policy-rc.d made=no had_orthanc=no log
    log=$(mktemp)
    [ -e /usr/sbin/Orthanc ] && had_orthanc=yes
    say "setup: installing with apt: $*"
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | root tee $policy >/dev/null
        root chmod 755 $policy
        made=yes
    fi
    local done_well=yes
    { root apt-get update -q && root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } \
        >"$log" 2>&1 || done_well=no
    if [ $made = yes ]; then root rm -f $policy; fi
    if [ $had_orthanc = no ] && [ -e /etc/init.d/orthanc ]; then
        root update-rc.d orthanc disable >/dev/null 2>&1 || true
        if command -v systemctl >/dev/null; then root systemctl disable orthanc >/dev/null 2>&1 || true; fi
    fi
    if [ $done_well = no ]; then
        tail -n 15 "$log" >&2
        say "setup: apt could not install: $* (the log is above); what needs them is not available"
    fi
    rm -f "$log"
}

pip_install() {
    local log
    log=$(mktemp)
    if ! .venv/bin/python -m pip install --disable-pip-version-check "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "setup: pip could not install $*"
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}

mapfile -t missing < <(missing_packages)
if [ "${1:-}" = --check ]; then
    [ ${#missing[@]} = 0 ] || { say "missing: ${missing[*]}"; exit 1; }
    exit 0
fi
if [ ${#missing[@]} != 0 ]; then
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
        install_packages "${missing[@]}"
    else
        say "setup: not allowed to install ${missing[*]}; going on without"
    fi
fi

if ! python=$(find_python); then
    say "setup: Python 3.11 is needed and was not found"
    exit 1
fi
stamp=.venv/.nodal-$(cat requirements.lock pyproject.toml "$0" | sha256sum | cut -c1-16)
if [ ! -e "$stamp" ]; then
    say "setup: creating .venv with the packages of requirements.lock"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    # Source packages are built with these and with no other version; PyRadiomics needs numpy's headers besides.
    mapfile -t builders < <(grep -E '^(pip|setuptools|numpy)==' requirements.lock)
    pip_install "${builders[@]}"
    pip_install --no-build-isolation -r requirements.lock
    pip_install --no-deps --no-build-isolation -e .
    .venv/bin/python -m pip check >/dev/null
    rm -f .venv/.nodal-*
    touch "$stamp"
fi

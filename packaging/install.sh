#!/bin/sh
# Installs the flopcast binary of a release for this system, after comparing its checksum.
#
#   curl --proto '=https' --tlsv1.2 -fsSL @BASE_URL@/install.sh | sh
#
# FLOPCAST_INSTALL_DIR: the folder it goes to ($HOME/.local/bin).
# FLOPCAST_BASE_URL: the folder of the release (archives and SHA256SUMS), for a mirror.
set -eu

version='@VERSION@'
base=${FLOPCAST_BASE_URL:-@BASE_URL@}
folder=${FLOPCAST_INSTALL_DIR:-${HOME:?is not set: say FLOPCAST_INSTALL_DIR}/.local/bin}

stop() {
    echo "flopcast is not installed: $*" >&2
    exit 1
}

# Everything stands in a function, so that a script that arrives in part does nothing.
main() {
    case $(uname -s)-$(uname -m) in
    Linux-x86_64 | Linux-amd64) target=x86_64-unknown-linux-gnu ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-gnu ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    *) stop "there is no binary for $(uname -s) on $(uname -m); \`cargo install flopcast\` builds one" ;;
    esac
    name=flopcast-v$version-$target

    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    fetch SHA256SUMS
    fetch "$name.tar.gz"
    wanted=$(awk -v file="$name.tar.gz" '$2 == file || $2 == "*" file { print $1 }' "$scratch/SHA256SUMS")
    [ -n "$wanted" ] || stop "SHA256SUMS does not name $name.tar.gz"
    found=$(checksum "$scratch/$name.tar.gz")
    [ "$wanted" = "$found" ] || stop "the checksum of $name.tar.gz is $found, and the release says $wanted"

    tar -xzf "$scratch/$name.tar.gz" -C "$scratch" "$name/flopcast"
    mkdir -p "$folder"
    [ ! -d "$folder/flopcast" ] || stop "$folder/flopcast is a folder"
    # A rename is whole or does not happen, also where an older flopcast runs.
    cp "$scratch/$name/flopcast" "$folder/.flopcast.$$"
    chmod 755 "$folder/.flopcast.$$"
    mv -f "$folder/.flopcast.$$" "$folder/flopcast"
    echo "flopcast $version is in $folder"
    case :$PATH: in
    *":$folder:"*) ;;
    *) echo "add it to the path: export PATH=\"$folder:\$PATH\"" ;;
    esac
}

# Fetches a file of the release into the scratch folder.
fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --retry 2 -o "$scratch/$1" "$base/$1" || stop "$base/$1 cannot be fetched"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$scratch/$1" "$base/$1" || stop "$base/$1 cannot be fetched"
    else
        stop "neither curl nor wget is there"
    fi
}

checksum() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

main

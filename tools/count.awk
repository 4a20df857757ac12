# Reads ctest's LastTest.log and prints "PASSED FAILED SKIPPED": the test cases of all programs.
#
# cmocka prints "[ RUN      ] case" and then OK, FAILED or SKIPPED, and lists the failed ones once more at the end,
# so a verdict counts only while a case is running. Scripts and replayers (e2e_*, fuzz_*) print lines "ok NAME",
# "not ok NAME", "skip NAME". A program that ctest calls failed (exit code, crash, timeout, leak) without
# a failed case counts as one failed; one that passes and prints no verdict at all counts as one passed.

function close_section() {
    if (section == "")
        return
    if (verdict != "passed" && verdict != "skipped" && f == 0)
        f = 1
    if (verdict == "passed" && p + f + s == 0)
        p = 1
    if (verdict == "skipped" && p + f + s == 0)
        s = 1
    passed += p; failed += f; skipped += s
    section = ""
}

/^[0-9]+\/[0-9]+ Testing: / {
    close_section()
    section = $3
    p = f = s = 0
    verdict = "failed"
    running = inside = 0
    lines = section ~ /^(e2e|fuzz)_/
    next
}
section == "" { next }
/^Output:$/ && !inside { inside = 1; next }
/^Test Passed\.$/ { verdict = "passed" }
/^Test Skipped\.$/ || /^Test Not Run/ { verdict = "skipped" }
!inside { next }
/^<end of output>$/ { inside = 0; next }
lines && /^ok( |$)/ { p++ }
lines && /^not ok( |$)/ { f++ }
lines && /^skip( |$)/ { s++ }
lines { next }
/\[ RUN      \] / { running = 1; next }
running && /\[       OK \] / { p++; running = 0; next }
running && /\[  FAILED  \] / { f++; running = 0; next }
running && /\[  SKIPPED \] / { s++; running = 0; next }

END {
    close_section()
    print passed + 0, failed + 0, skipped + 0
}

# spills.awk: reads `objdump -d --no-show-raw-insn` of kernels for x86-64 or 64-bit Arm and fails if an innermost loop with
# eight multiply-adds or more stores sums on the stack: those of its tile do not fit in the registers.  (Other things may
# lie there: constants, the bytes of a tail.)  Prints such loops, and how many were read; fails also if a file named after
# a matrix product (gemm, gemv, weighted_sum) has none, as then they are not recognised.

# How often the loop from instruction `first` to `last` stores a sum on the stack: a vector that a multiply-add or an
# addition wrote last.  Read twice, as a sum may stay where the turn before left it.
function count_spills(first, last,    turn, i, is_sum_in, n_spills) {
    for (turn = 0; turn < 2; turn++) {
        n_spills = 0
        for (i = first; i <= last; i++) {
            if (i in stored) {
                n_spills += (stored[i] in is_sum_in) && is_sum_in[stored[i]] && (!is_frame[i] || has_frame)
            }
            if (i in written) {
                is_sum_in[written[i]] = is_sum[i] || is_addition[i]
            }
        }
    }
    return n_spills
}

# Loops of the function read: from the target of a branch back to it, if no other such branch lies between.  (With one
# it is an outer loop, or a block moved behind its loop.)
function end_of_function(    j, i, first, n_sums, n_spills, inner) {
    for (j = 0; j < n; j++) {
        if (!(j in back)) {
            continue
        }
        first = back[j]
        n_sums = inner = 0
        for (i = first; i < j; i++) {
            n_sums += is_sum[i]
            inner += (i in back) || is_branch[i]
        }
        if (inner == 0 && n_sums >= 8) {
            n_loops++
            n_of_file++
            n_spills = count_spills(first, j)
            if (n_spills > 0) {
                printf "%s: %s %s: %d sums go to the stack beside %d multiply-adds\n", file, name, address[first], n_spills, n_sums
                n_bad++
            }
        }
    }
    n = has_frame = 0
    split("", back)
    split("", at)
    split("", written)
    split("", stored)
}

function end_of_file() {
    end_of_function()
    if (file ~ /[-\/](gemm|gemv|weighted_sum)[a-z0-9_]*\.o$/ && n_of_file == 0) {
        printf "%s: no loop of multiply-adds was found\n", file
        n_bad++
    }
    n_of_file = 0
}

# The number of the vector register that a text begins or ends with, else "".
function first_register(text) {
    return match(text, /^[vq][0-9]+/) ? substr(text, 2, RLENGTH - 1) : ""
}

function last_register(text) {
    return match(text, /%[xyz]mm[0-9]+$/) ? substr(text, RSTART + 4) : ""
}

/:     file format / {
    end_of_file()
    file = $1
    sub(/:$/, "", file)
    next
}

/^[0-9a-f]+ <.*>:$/ {
    end_of_function()
    name = $2
    next
}

/^ *[0-9a-f]+:\t/ {
    sub(/\{vex\} /, "")
    address[n] = $1
    sub(/:/, "", address[n])
    mnemonic = $2
    operands = $0
    sub(/^[^\t]*\t[a-z0-9.]+[ \t]*/, "", operands)
    sub(/ <.*/, "", operands)
    sub(/\{.*$/, "", operands) # masks
    at[address[n]] = n
    is_sum[n] = mnemonic ~ /^(fmla|smlal2?|sadalp|sdot|bfdot|bfmmla|smmla|mla)$/ || \
        mnemonic ~ /^(vfn?m(add|sub)[0-9]+p[sd]|vpmaddwd|vpdpbusd|vdpbf16ps)$/
    is_addition[n] = mnemonic ~ /^(vpaddd|vaddps)$/
    if (mnemonic ~ /^v?mov[audq].*/ && operands ~ /^%[xyz]mm[0-9]+,(-?0x[0-9a-f]+)?\(%r[sb]p\)/) {
        register = operands
        sub(/,.*/, "", register)
        stored[n] = last_register(register)
    } else if (mnemonic == "str" && operands ~ /^q[0-9]+.*\[sp/) {
        stored[n] = first_register(operands)
    } else if (last_register(operands) first_register(operands) != "" && mnemonic !~ /^st/) {
        written[n] = last_register(operands) first_register(operands)
    }
    # on Arm a loop over a tail copies it through calls and branches: those are not the hot ones
    is_branch[n] = mnemonic ~ /^(b|b\..*|cbn?z|tbn?z|ret|bl)$/
    is_frame[n] = operands ~ /%rbp/ # of the stack only where it is set from %rsp
    if (mnemonic == "mov" && operands == "%rsp,%rbp") {
        has_frame = 1
    }
    if (mnemonic ~ /^(b\..*|cbn?z|j[a-z]+)$/) {
        target = operands
        sub(/.*[ ,]/, "", target)
        if (target in at) {
            back[n] = at[target]
        }
    }
    n++
}

END {
    end_of_file()
    printf "%d loops of multiply-adds, %d of which spill\n", n_loops, n_bad
    exit n_loops == 0 || n_bad > 0
}

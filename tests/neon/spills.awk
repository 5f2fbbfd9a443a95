# spills.awk: reads `objdump -d --no-show-raw-insn` of kernels for 64-bit Arm and fails if an innermost loop with eight
# multiply-adds or more moves vectors to or from the stack: the sums of a tile do not fit in the registers.
# Prints such loops, and how many were read.

/^[0-9a-f]+ <.*>:$/ {
    name = $2
    n = 0
    next
}

/^ *[0-9a-f]+:\t/ {
    split($0, field, "\t")
    address = field[1]
    gsub(/[ :]/, "", address)
    is_branch[n] = field[2] ~ /^(b|b\..*|cbn?z|tbn?z|ret|bl)$/
    is_sum[n] = field[2] ~ /^(fmla|smlal2?|sadalp|sdot|bfdot|bfmmla|smmla|mla)$/
    is_spill[n] = field[3] ~ /^q[0-9]+.*\[sp/
    at[name, address] = n
    target = field[3]
    sub(/ <.*/, "", target)
    sub(/.*[ ,]/, "", target)
    if (field[2] ~ /^(b\..*|cbn?z)$/ && (name, target) in at) {
        n_sums = n_spills = n_branches = 0
        for (i = at[name, target]; i < n; i++) {
            n_sums += is_sum[i]
            n_spills += is_spill[i]
            n_branches += is_branch[i]
        }
        if (n_branches == 0 && n_sums >= 8) {
            n_loops++
            if (n_spills > 0) {
                printf "%s %s: %d moves of vectors to or from the stack beside %d multiply-adds\n", name, target, n_spills, n_sums
                n_bad++
            }
        }
    }
    n++
}

END {
    printf "%d loops of multiply-adds, %d of which spill\n", n_loops, n_bad
    exit n_loops == 0 || n_bad > 0
}

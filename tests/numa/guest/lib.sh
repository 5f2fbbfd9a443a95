# What the machines' scripts share.
picture=/demo/pictures/shapes.png
question="How many shapes are there?"

# note TEXT...: shown to whoever runs check-numa.
note() { echo "omma-guest: note: $*"; }

# die TEXT...
die() {
    echo "omma-guest: $*"
    exit 1
}

# answers OPTION...: the demo model's answer is right; what omma says with -v stands in /tmp/said.
answers() {
    answer=$(timeout 120 omma run -m /demo -v --image $picture -p "$question" "$@" 2> /tmp/said) || {
        cat /tmp/said
        die "omma run $*: status $?"
    }
    [ "$answer" = Two. ] || {
        cat /tmp/said
        die "omma run $*: answered \"$answer\", expected \"Two.\""
    }
}

# local NODES OPTION...: the weights lie on so many nodes, and all pages on the node whose threads read them.
local_on() {
    n_nodes=$1
    shift
    timeout 120 omma doctor --quick -m /demo "$@" > /tmp/doctor 2>&1 || {
        cat /tmp/doctor
        die "omma doctor $*: status $?"
    }
    n_found=$(grep -c 'of it local' /tmp/doctor || :)
    n_local=$(grep -c '100\.0 % of it local' /tmp/doctor || :)
    [ "$n_found" = "$n_nodes" ] && [ "$n_local" = "$n_nodes" ] || {
        cat /tmp/doctor
        die "omma doctor $*: $n_local of $n_found nodes have all pages, expected $n_nodes"
    }
    note "${*:-no option}: $(grep '^  node' /tmp/doctor | tr -s ' ' | tr '\n' '.')"
}

# tells TEXT OPTION...: omma doctor tells this.
tells() {
    text=$1
    shift
    timeout 60 omma doctor --quick "$@" > /tmp/doctor 2>&1 || :
    grep -q "$text" /tmp/doctor || {
        cat /tmp/doctor
        die "omma doctor $*: no \"$text\""
    }
}

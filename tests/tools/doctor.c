/* The advice of omma doctor: each rule on a machine that needs it, and silence on one that is well.
 */
#include <string.h>

#include "tools/doctor/examination.h"

#include "support/support.h"

static const struct omma_machine_node NODES[] = {{.number = 0, .n_cores = 4},
                                                 {.number = 1, .n_cores = 4}};

/* All is well. */
static struct omma_machine a_machine(void)
{
    return (struct omma_machine){
        .n_cores = 8,
        .n_allowed_cores = 8,
        .n_usable_cores = 8,
        .n_nodes = 2,
        .nodes = NODES,
        .available_bytes = 1000,
        .memory_limit_bytes = UINT64_MAX,
        .huge_pages = "madvise",
        .governor = "performance",
    };
}

struct advice {
    size_t n;
    char findings[2000], remedies[2000];
};

static void note(void *user, const char *finding, const char *remedy)
{
    struct advice *advice = user;

    advice->n++;
    strcat(strcat(advice->findings, finding), "\n");
    strcat(strcat(advice->remedies, remedy), "\n");
}

static struct advice advise(const struct examination *examination)
{
    struct advice advice = {0};

    size_t n = give_advice(examination, note, &advice);

    assert_int_equal(n, advice.n);
    return advice;
}

/* Advice for such a machine: one piece, with these words. */
static void assert_advice(const struct omma_machine *machine, const char *finding,
                          const char *remedy)
{
    const struct examination examination = {.machine = machine, .isa = "avx2", .is_best = true};
    struct advice advice = advise(&examination);

    assert_int_equal(advice.n, 1);
    assert_non_null(strstr(advice.findings, finding));
    assert_non_null(strstr(advice.remedies, remedy));
}

static void silent_where_all_is_well(void **state)
{
    const struct omma_machine machine = a_machine();
    const struct examination examination = {.machine = &machine, .isa = "avx2", .is_best = true};

    (void)state;
    assert_int_equal(advise(&examination).n, 0);
}

static void silent_where_nothing_is_known(void **state)
{
    struct omma_machine machine = a_machine();
    const struct examination examination = {.machine = &machine, .isa = "avx2", .is_best = true};

    (void)state;
    machine.available_bytes = 0;
    machine.huge_pages[0] = machine.governor[0] = '\0';
    assert_int_equal(advise(&examination).n, 0);
}

static void tiers(void **state)
{
    const struct omma_machine machine = a_machine();
    struct examination examination = {.machine = &machine, .isa = "avx2", .is_best = false};
    struct advice advice = advise(&examination);

    (void)state;
    assert_int_equal(advice.n, 1);
    assert_non_null(strstr(advice.remedies, "--isa"));
    examination.isa = "scalar";
    examination.is_best = true;
    assert_non_null(strstr(advise(&examination).findings, "none of the instruction sets"));
}

static void cores(void **state)
{
    struct omma_machine machine = a_machine();

    (void)state;
    machine.n_usable_cores = 3;
    assert_advice(&machine, "3 of 8 cores compute", "cpu.max");
    machine = a_machine();
    machine.n_cores = 16;
    assert_advice(&machine, "8 of the machine's 16 cores", "taskset");
    machine = a_machine();
    strcpy(machine.offline_cpus, "5,7");
    assert_advice(&machine, "CPUs 5,7 are offline", "online");
    machine = a_machine();
    strcpy(machine.governor, "powersave");
    assert_advice(&machine, "\"powersave\"", "performance");
}

static void memory(void **state)
{
    struct omma_machine_node nodes[2] = {NODES[0], NODES[1]};
    struct omma_machine machine = a_machine();

    (void)state;
    strcpy(machine.huge_pages, "never");
    assert_advice(&machine, "switched off", "madvise");
    machine.n_nodes = 1; /* the files are mapped there, in pages of their own */
    assert_int_equal(
        advise(&(struct examination){.machine = &machine, .isa = "avx2", .is_best = true}).n, 0);
    machine = a_machine();
    machine.numa_balancing = true;
    assert_advice(&machine, "moves pages", "numa_balancing=0");
    machine = a_machine();
    machine.zone_reclaim = true;
    assert_advice(&machine, "drops cached pages", "zone_reclaim_mode=0");
    machine = a_machine();
    machine.nodes = nodes;
    nodes[1].free_huge_pages = 12;
    nodes[1].huge_page_bytes = 2 << 20;
    assert_advice(&machine, "node 1 keeps 12 huge pages of 2048 KB", "nr_hugepages");
}

static void models(void **state)
{
    struct omma_machine machine = a_machine();
    const struct omma_model_info model = {.mapped_bytes = 800, .anonymous_bytes = 100};
    struct omma_node_placement placements[2] = {{.node = 0, .n_local = 10},
                                                {.node = 1, .n_local = 3, .n_remote = 1}};
    struct examination examination = {.machine = &machine,
                                      .isa = "avx2",
                                      .is_best = true,
                                      .model = &model,
                                      .placements = placements};

    (void)state;
    assert_int_equal(advise(&examination).n, 0);
    machine.memory_limit_bytes = 899;
    assert_non_null(strstr(advise(&examination).remedies, "memory.max"));
    machine.memory_limit_bytes = 900;
    examination.n_placements = 2;
    assert_non_null(strstr(advise(&examination).findings, "25.0 % of the pages that node 1's"));
    placements[1].n_remote = 0;
    assert_int_equal(advise(&examination).n, 0);
}

static void limits(void **state)
{
    const struct omma_machine machine = a_machine();
    struct examination examination = {
        .machine = &machine,
        .isa = "avx2",
        .is_best = true,
        .is_measured = true,
        .limits = {.read_bytes_per_s = 30e9, .known_low = 40e9, .known_high = 50e9}};

    (void)state;
    assert_non_null(strstr(advise(&examination).findings, "30.0 GB/s, where"));
    examination.limits.read_bytes_per_s = 37e9;
    assert_int_equal(advise(&examination).n, 0);
    examination.limits.known_low = 0; /* a CPU that is not in the table */
    examination.limits.read_bytes_per_s = 1e9;
    assert_int_equal(advise(&examination).n, 0);
}

/* Every family has a kernel on every tier but for the probes, from the tier itself or one below. */
static void families_come_from_tiers(void **state)
{
    const char *tier, *family, *isa;
    size_t n_own = 0;

    (void)state;
    for (size_t i = 0; (isa = omma_isa_tier(i, NULL)) != NULL; i++) {
        size_t f = 0;

        for (; (family = omma_kernel_family(f, isa, &tier)) != NULL; f++) {
            assert_true(tier != NULL || strncmp(family, "probe_", 6) == 0);
            n_own += tier != NULL && strcmp(tier, isa) == 0;
        }
        assert_true(f > 30);
    }
    assert_true(n_own > 50);
    assert_string_equal(omma_kernel_family(0, "scalar", &tier), "gemm_f32");
    assert_string_equal(tier, "scalar");
    assert_non_null(omma_kernel_family(0, "no tier", &tier));
    assert_null(tier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_where_all_is_well),
        cmocka_unit_test(silent_where_nothing_is_known),
        cmocka_unit_test(tiers),
        cmocka_unit_test(cores),
        cmocka_unit_test(memory),
        cmocka_unit_test(models),
        cmocka_unit_test(limits),
        cmocka_unit_test(families_come_from_tiers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

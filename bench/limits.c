/*
 * limits [THREADS [TIER]]: what this machine can do, against which every other figure is held: the
 * speed of reading memory, and of multiply-adds in registers.
 */
#include "bench/setup.h"

int main(int n_arguments, char **arguments)
{
    struct bench_setup setup;
    int status = bench_setup_open(n_arguments, arguments, 0, &setup);

    if (status == 0) {
        bench_setup_print(&setup);
        bench_setup_close(&setup);
    }
    return status;
}

/* /proc/self/status, in KB.  Buffers of a run stay until the engine goes, so what is anonymous at
 * its end is about the most there was. */
#include "tools/bench/memory.h"

#include <stdio.h>

void bench_memory_forget(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");

    if (file != NULL) {
        fputs("5", file); /* proc(5): the peak of the resident set becomes the present size */
        fclose(file);
    }
}

void bench_memory(double *peak, double *anonymous)
{
    FILE *file = fopen("/proc/self/status", "r");
    unsigned long kb;
    char line[256];

    *peak = *anonymous = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmHWM: %lu kB", &kb) == 1) {
            *peak = 1024.0 * (double)kb;
        } else if (sscanf(line, "RssAnon: %lu kB", &kb) == 1) {
            *anonymous = 1024.0 * (double)kb;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

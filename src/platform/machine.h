/*
 * machine.h - what omma_machine_open() (api/omma.h) tells, of this machine or of one made up for a
 * test.
 *
 * root is prepended to /proc and /sys; what is missing there or makes no sense is left unknown.
 */
#ifndef OMMA_PLATFORM_MACHINE_H
#define OMMA_PLATFORM_MACHINE_H

#include "api/omma.h"
#include "platform/topology.h"

/* options->root may be NULL: "". */
enum omma_status omma_machine_describe(const struct omma_topology_options *options,
                                       struct omma_machine **machine, struct omma_error *error);

#endif

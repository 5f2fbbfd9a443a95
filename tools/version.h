/*
 * version.h - omma --version.
 */
#ifndef OMMA_TOOLS_VERSION_H
#define OMMA_TOOLS_VERSION_H

/* Version, kernel tiers built and usable, libraries; to standard output. */
void print_version(void);

#endif

/*
 * completion.h - completion of omma(1) for bash, from the commands' tables.
 */
#ifndef OMMA_TOOLS_COMPLETION_H
#define OMMA_TOOLS_COMPLETION_H

/* Write the script to standard output. */
void print_completion(void);

#endif

/*
 * signals.h - what signals do.
 *
 *   SIGPIPE           ignored: a closed pipe is an error of the write
 *   SIGINT            while an answer is generated: ends the answer, a second one the program; at
 * the prompt: noted; else: ends the program SIGHUP, SIGTERM   as SIGINT, but the program ends once
 * the answer has SIGBUS            a page of the model could not be read: names file, tensor and
 * offset, and exits with OMMA_STATUS_CHANGED
 *
 * Handlers are the process's, so this is the one place of the program with global state.
 */
#ifndef OMMA_TOOLS_SIGNALS_H
#define OMMA_TOOLS_SIGNALS_H

#include "api/omma.h"

void signals_init(void);

/* The model whose pages SIGBUS may hit; NULL before it is closed. */
void signals_watch_model(const struct omma_model *model);

/* The session that is answering and that SIGINT cancels; NULL when it is done. */
void signals_watch_session(struct omma_session *session);

/* From here on signals are noted instead of ending the program, for a loop that asks
 * signals_noted(); a second SIGINT while a session answers ends it all the same. */
void signals_note(bool on);

/* SIGHUP or SIGTERM if one came, else SIGINT, else 0. */
int signals_noted(void);

/* Forget all that was noted. */
void signals_forget(void);

/* Forget SIGINT. */
void signals_forget_interrupt(void);

/* Readable once a signal was noted; for poll(2).  -1: none, there were no descriptors left. */
int signals_descriptor(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Several workers on one run.
 *
 * The executor is asked once for a whole run, not once a step: waking a thread
 * takes longer than many a step. Workers go through the steps together, the first to come leads: it opens
 * the steps. What is not worth sharing is done by whoever comes to it first; of the other steps every worker
 * has its share.
 */
#ifndef RF_RUN_CREW_H
#define RF_RUN_CREW_H

#include "run/session.h"

rf_status rf_crew_run(rf_session *session, rf_error *error);

/* run.c: the parts of a run that one worker or many go through. */

/* Tells the observer of a step; RF_ERROR_STOPPED where it wants no more. */
rf_status rf_run_announce(rf_session *session, size_t s, rf_error *error);
/* All of a step. */
rf_status rf_run_alone(rf_session *session, size_t s, size_t worker, rf_error *error);
/* Some units of a step that has a kernel. */
void rf_run_units(rf_session *session, size_t s, size_t worker, size_t begin, size_t end);

#endif

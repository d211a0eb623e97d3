/* SPDX-License-Identifier: MIT */
/* What stands behind the rf_analysis that a caller holds. */
#ifndef RF_ANALYSIS_ANALYSIS_OWNER_H
#define RF_ANALYSIS_ANALYSIS_OWNER_H

#include <rfield/analysis.h>

#include "analysis/field_walk.h"
#include "network/graph.h"

typedef struct rf_analysis_owner {
    rf_analysis analysis; /* must stay first */
    rf_graph *graph;      /* its arena holds this struct too */
    rf_field_walk fields;
    rf_layer_analysis *layers;
} rf_analysis_owner;

static inline const rf_analysis_owner *rf_analysis_owner_of(const rf_analysis *analysis)
{
    return (const rf_analysis_owner *)(const void *)analysis;
}

#endif

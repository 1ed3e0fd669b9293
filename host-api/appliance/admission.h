/* SPDX-License-Identifier: BSD-3-Clause */
/* Which subscriptions may be members of a group: what fanfare.h says of it is done here. The control thread's. */
#ifndef FAN_ADMISSION_H
#define FAN_ADMISSION_H

#include "../fanfare.h"

/* Whether contexts may be members of a group, all of which are there. INVALID names the first that may not, and what it lacks. IO. */
int fan_admission_check(const struct fan_group *group, const fan_context_id *ids, size_t id_count);

#endif

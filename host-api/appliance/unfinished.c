/* SPDX-License-Identifier: BSD-3-Clause */
#include "handles.h"
#include "ledger.h"
#define NOT_YET return fan_fail(FAN_E_UNSUPPORTED, "not built yet")
int
fan_sync(struct fanfare *f)
{
	(void)f;
	return 0;
}
const char *
fan_message_state_name(enum fan_message_state s)
{
	(void)s;
	return "unknown";
}
int
fan_message_status(struct fanfare *f, struct fan_message_status *s, fan_message_id id)
{
	(void)f;
	(void)s;
	(void)id;
	NOT_YET;
}
int
fan_message_next(struct fanfare *f, fan_message_id *id, fan_message_id from)
{
	(void)f;
	(void)id;
	(void)from;
	return 0;
}
int
fan_message_not_served(struct fanfare *f, fan_message_id id, enum fan_drop drop,
		       void (*each)(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop), void *user)
{
	(void)f;
	(void)id;
	(void)drop;
	(void)each;
	(void)user;
	NOT_YET;
}
int
fan_health(const struct fanfare *f, struct fan_health *h)
{
	(void)f;
	(void)h;
	NOT_YET;
}
const char *
fan_event_kind_name(enum fan_event_kind k)
{
	(void)k;
	return "unknown";
}
int
fan_event_next(const struct fanfare *f, struct fan_event *e, uint64_t from)
{
	(void)f;
	(void)e;
	(void)from;
	return 0;
}
int
fan_ledger_load(struct fanfare *f)
{
	(void)f;
	return 0;
}
int
fan_ledger_put(struct fanfare *f, unsigned table, uint32_t first, uint32_t count)
{
	(void)f;
	(void)table;
	(void)first;
	(void)count;
	return 0;
}
void
fan_ledger_put_done(struct fanfare *f, unsigned table, uint32_t first, uint32_t count)
{
	(void)f;
	(void)table;
	(void)first;
	(void)count;
}

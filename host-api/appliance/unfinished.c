/* SPDX-License-Identifier: BSD-3-Clause */
#include "handles.h"
#include "ledger.h"
#define NOT_YET return fan_fail(FAN_E_UNSUPPORTED, "not built yet")
unsigned
fan_ue_lookup(const struct fanfare *f, fan_context_id *ids, unsigned n, const char *identity)
{
	(void)f;
	(void)ids;
	(void)n;
	(void)identity;
	return 0;
}
int
fan_ue_status(const struct fanfare *f, struct fan_ue_status *s, fan_context_id id)
{
	(void)f;
	(void)s;
	(void)id;
	NOT_YET;
}
int
fan_ue_next(const struct fanfare *f, fan_context_id *id, fan_context_id from)
{
	(void)f;
	(void)id;
	(void)from;
	return 0;
}
int
fan_ue_lease_until(struct fanfare *f, fan_context_id id, int64_t t)
{
	(void)f;
	(void)t;
	(void)id;
	NOT_YET;
}
struct fan_group *
fan_group_next(struct fanfare *f, const char *gid)
{
	(void)f;
	(void)gid;
	return NULL;
}
void
fan_group_each(const struct fan_group *g, void (*each)(void *user, fan_context_id id, enum fan_profile profile), void *user)
{
	(void)g;
	(void)each;
	(void)user;
}
int
fan_begin(struct fanfare *f)
{
	(void)f;
	NOT_YET;
}
int
fan_commit(struct fanfare *f)
{
	(void)f;
	NOT_YET;
}
void
fan_abort(struct fanfare *f)
{
	(void)f;
}
int
fan_store_rotate(struct fanfare *f, const char *key_file)
{
	(void)f;
	(void)key_file;
	NOT_YET;
}

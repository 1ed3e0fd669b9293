/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/engines.h"

#include <criterion/criterion.h>
#include <string.h>

Test(engines, find)
{
	static const char *const unknown[] = { "", "Reference", "referenc", "reference ", "lockstep-on-paper", ":", ":device" };
	struct fan_engine_choice choice;

	for (unsigned i = 0; fan_engines[i] != NULL; i++) {
		cr_assert_eq(fan_engine_find(&choice, fan_engines[i]->name), 0);
		cr_assert(choice.ops == fan_engines[i] && choice.device == NULL);
		cr_assert(fan_engines[i]->description != NULL && strchr(fan_engines[i]->description, '\n') == NULL);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		cr_assert_eq(fan_engine_find(&choice, unknown[i]), FAN_E_NOT_FOUND, "%s", unknown[i]);
		cr_assert_eq(choice.ops, fan_engines[7], "left alone");
		cr_assert_not_null(strstr(fan_error_detail(), unknown[i]));
		cr_assert_not_null(strstr(fan_error_detail(), "ipsec-mb"));
		cr_assert_not_null(strstr(fan_error_detail(), "reference"));
	}
}

Test(engines, a_device_stands_behind_a_colon)
{
	struct fan_engine_choice choice;

	cr_assert_eq(fan_engine_find(&choice, "fpga:shm:/tmp/card,seed=7"), 0, "%s", fan_error_detail());
	cr_assert_str_eq(choice.ops->name, "fpga");
	cr_assert_str_eq(choice.device, "shm:/tmp/card,seed=7");
	cr_assert_eq(fan_engine_find(&choice, "fpga:"), FAN_E_INVALID);
	cr_assert_eq(fan_engine_find(&choice, "lockstep:0"), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "has no devices"), "%s", fan_error_detail());
}

Test(engines, lists)
{
	char many[] = "reference,reference,reference,reference,reference,reference,reference,reference,reference";
	struct fan_engine_list list;

	cr_assert_eq(fan_engine_list_make(&list, "lockstep,cryptodev:crypto_zuc,fpga", "model,seed=7"), 0, "%s",
		     fan_error_detail());
	cr_assert(list.count == 3 && !list.automatic);
	cr_assert_str_eq(list.choice[0].name, "lockstep");
	cr_assert_null(list.choice[0].device);
	cr_assert_str_eq(list.choice[1].name, "cryptodev:crypto_zuc");
	cr_assert_str_eq(list.choice[1].device, "crypto_zuc");
	cr_assert_str_eq(list.choice[2].device, "model,seed=7", "a card is the device of fpga");
	fan_engine_list_free(&list);
	cr_assert_eq(fan_engine_list_make(&list, "fpga:shm:a", "model"), 0);
	cr_assert_str_eq(list.choice[0].device, "shm:a", "the name says it");
	fan_engine_list_free(&list);
	cr_assert_eq(fan_engine_list_make(&list, "auto", NULL), 0);
	cr_assert(list.automatic && list.count > 0);
	for (unsigned i = 0; i < list.count; i++)
		cr_assert(list.choice[i].ops->automatic);
	fan_engine_list_free(&list);
	cr_assert_eq(fan_engine_list_make(&list, many, NULL), FAN_E_INVALID, "nine");
	cr_assert_eq(list.count, 0);
	cr_assert_null(list.text);
	many[strlen(many) - strlen(",reference")] = '\0';
	cr_assert_eq(fan_engine_list_make(&list, many, NULL), 0, "eight");
	fan_engine_list_free(&list);
	cr_assert_eq(fan_engine_list_make(&list, "reference,,lockstep", NULL), FAN_E_NOT_FOUND);
	fan_engine_list_free(&list);
}

#include "suites.h"
Suite *sp_suite_tls(void)
{
	return suite_create("tls");
}

/* sallyport: proxy, gateway and all in one. */
#include "server/server.h"

int main(int argc, char **argv)
{
	return sp_server_main(argc, argv, SP_CONF_PROXY, SP_SYSCONFDIR "/sallyport/sallyport.conf");
}

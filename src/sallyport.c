/* sallyport: proxy, gateway and all in one. */
#include <stdio.h>

int main(void)
{
	fputs("sallyport: not built yet\n", stderr);
	return 1;
}
